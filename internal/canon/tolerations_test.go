package canon_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestT12TolerationsOfAChild: the pods of an approved workload tolerate what its template says and what the
// control plane adds, and nothing else: a toleration more brings them onto nodes that are kept apart.
func TestT12TolerationsOfAChild(t *testing.T) {
	const (
		gpu      = `{"key":"example.com/gpu","operator":"Exists","effect":"NoSchedule"}`
		mine     = `{"key":"dedicated","operator":"Equal","value":"shop","effect":"NoSchedule"}`
		evil     = `{"key":"dedicated","operator":"Equal","value":"vault","effect":"NoSchedule"}`
		all      = `{"operator":"Exists"}`
		minutes  = `{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}`
		longer   = `{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":301}`
		forever  = `{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute"},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute"}`
		pressure = `{"key":"node.kubernetes.io/disk-pressure","operator":"Exists","effect":"NoSchedule"},{"key":"node.kubernetes.io/memory-pressure","operator":"Exists","effect":"NoSchedule"},{"key":"node.kubernetes.io/pid-pressure","operator":"Exists","effect":"NoSchedule"},{"key":"node.kubernetes.io/unschedulable","operator":"Exists","effect":"NoSchedule"}`
		network  = `{"key":"node.kubernetes.io/network-unavailable","operator":"Exists","effect":"NoSchedule"}`
		memory   = `{"key":"node.kubernetes.io/memory-pressure","operator":"Exists","effect":"NoSchedule"}`
		set      = "ReplicaSet"
		daemons  = "DaemonSet"
		noGPU    = ""
		withGPU  = `,"resources":{"requests":{"example.com/gpu":"1"}}`
	)
	for name, tt := range map[string]struct {
		owner, resources, template, pod string
		made                            bool
	}{
		"as asked":                             {set, noGPU, mine, mine, true},
		"the two of the API server":            {set, noGPU, mine, mine + "," + minutes, true},
		"the two where none is asked for":      {set, noGPU, "", minutes, true},
		"the node's memory":                    {set, noGPU, mine, mine + "," + minutes + "," + memory, true},
		"the resource that it asks for":        {set, withGPU, "", gpu + "," + minutes, true},
		"a resource that it does not ask for":  {set, noGPU, "", gpu + "," + minutes, false},
		"a node of somebody else":              {set, noGPU, mine, mine + "," + evil, false},
		"instead of its own":                   {set, noGPU, mine, evil, false},
		"every node":                           {set, noGPU, mine, mine + "," + all, false},
		"its own are gone":                     {set, noGPU, mine, minutes, false},
		"other seconds":                        {set, noGPU, mine, mine + "," + longer, false},
		"a daemon's, for another":              {set, noGPU, mine, mine + "," + forever, false},
		"a daemon's":                           {daemons, noGPU, mine, mine + "," + forever + "," + pressure, true},
		"a daemon's, in the place of its own":  {daemons, noGPU, minutes, forever + "," + pressure, true},
		"a daemon's without the node's net":    {daemons, noGPU, mine, mine + "," + forever + "," + pressure + "," + network, false},
		"a daemon on a node of somebody else":  {daemons, noGPU, mine, mine + "," + forever + "," + evil, false},
		"a daemon whose own are gone":          {daemons, noGPU, mine, forever + "," + pressure, false},
		"cordoned nodes, for no daemon at all": {set, noGPU, "", pressure, false},
	} {
		t.Run(name, func(t *testing.T) {
			container := `"containers":[{"name":"a","image":"a:1"` + tt.resources + `}]`
			owner := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":%q,"metadata":{"name":"a","namespace":"shop"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{%s,"tolerations":[%s]}}}}`, tt.owner, container, tt.template)
			pod := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a-x","namespace":"shop","labels":{"a":"b"}},"spec":{"enableServiceLinks":true,"serviceAccountName":"default","serviceAccount":"default",%s,"tolerations":[%s]}}`, container, tt.pod)
			if made, known := fromTemplate(t, owner, pod); made != tt.made || !known {
				t.Errorf("made %t, known %t; want %t", made, known, tt.made)
			}
			onNode := func(s string) string { return strings.Replace(s, `"containers"`, `"hostNetwork":true,"containers"`, 1) }
			if made, _ := fromTemplate(t, onNode(owner), onNode(pod)); tt.owner == daemons && strings.Contains(tt.pod, network) && !made {
				t.Error("with the node's network: not made")
			}
		})
	}
}
