package canon

import (
	"reflect"
	"slices"
	"strings"
)

// tolerated reports whether a pod tolerates what its template asks for and, beyond that, nothing but what the
// control plane adds: so nobody gets a pod of an approved workload onto nodes that its commit does not name.
func tolerated(owner string, podSpec map[string]any, child *Object) bool {
	added := tolerationsOfAdmission(child)
	if owner == "DaemonSet" {
		added = append(added, tolerationsOfDaemons(podSpec)...)
	}
	asked := listOf(podSpec, "tolerations")
	have := listOf(field(child.doc.value(0), "spec"), "tolerations")
	for _, t := range have {
		if !slices.ContainsFunc(asked, func(a any) bool { return reflect.DeepEqual(a, t) }) && !slices.ContainsFunc(added, func(a any) bool { return reflect.DeepEqual(a, t) }) {
			return false
		}
	}
	for _, a := range asked {
		// What the control plane adds stands in the place of one that differs in its seconds alone.
		if !slices.ContainsFunc(have, func(t any) bool {
			return reflect.DeepEqual(a, t) || slices.ContainsFunc(added, func(x any) bool { return reflect.DeepEqual(x, t) }) && sameTaint(a, t)
		}) {
			return false
		}
	}
	return true
}

// sameTaint reports whether two tolerations differ at most in how long they hold.
func sameTaint(a, b any) bool {
	for _, name := range [...]string{"key", "operator", "value", "effect"} {
		if !reflect.DeepEqual(field(a, name), field(b, name)) {
			return false
		}
	}
	return true
}

// toleration is one of whatever value a taint has.
func toleration(taint, effect string) map[string]any {
	return map[string]any{"key": taint, "operator": "Exists", "effect": effect}
}

// tolerationsOfAdmission are those of the API server's admission plug-ins: five minutes on a node that is not
// ready or cannot be reached, a node that is short of memory, and nodes that are set apart for a resource which
// the pod asks for.
// Source: plugin/pkg/admission/{defaulttolerationseconds,podtolerationrestriction,extendedresourcetoleration} of
// k8s.io/kubernetes.
func tolerationsOfAdmission(child *Object) []any {
	added := []any{toleration("node.kubernetes.io/memory-pressure", "NoSchedule")}
	for _, taint := range [...]string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} {
		t := toleration(taint, "NoExecute")
		t["tolerationSeconds"] = int64(300)
		added = append(added, t)
	}
	for _, list := range containerLists {
		for _, c := range listOf(field(child.doc.value(0), "spec"), list) {
			requests, _ := field(field(c, "resources"), "requests").(map[string]any)
			for name := range requests {
				if domain, _, qualified := strings.Cut(name, "/"); qualified && !strings.HasSuffix(domain, "kubernetes.io") {
					added = append(added, toleration(name, "NoSchedule"))
				}
			}
		}
	}
	return added
}

// tolerationsOfDaemons are those that the pods of a DaemonSet are given.
// Source: AddOrUpdateDaemonPodTolerations in k8s.io/kubernetes/pkg/controller/daemon/util/daemonset_util.go.
func tolerationsOfDaemons(podSpec map[string]any) []any {
	added := []any{
		toleration("node.kubernetes.io/not-ready", "NoExecute"),
		toleration("node.kubernetes.io/unreachable", "NoExecute"),
		toleration("node.kubernetes.io/disk-pressure", "NoSchedule"),
		toleration("node.kubernetes.io/pid-pressure", "NoSchedule"),
		toleration("node.kubernetes.io/unschedulable", "NoSchedule"),
	}
	if podSpec["hostNetwork"] == true {
		added = append(added, toleration("node.kubernetes.io/network-unavailable", "NoSchedule"))
	}
	return added
}
