package gate

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// update is an inquiry into an update of one object of the core group by a user.
func update(g *Gate, kind, subresource, user, old, now string) *inquiry {
	object := func(rest string) []byte {
		return []byte(`{"apiVersion":"v1","kind":"` + kind + `","metadata":{"name":"x"` + rest)
	}
	c := &inquiry{}
	c.facts.Request = change.Request{
		Operation: change.Update, Kind: change.Kind{Version: "v1", Kind: kind}, User: change.User{Name: user}, Old: object(old), Object: object(now),
	}
	c.facts.Request.Resource.Resource, c.facts.Request.Resource.Subresource = strings.ToLower(kind)+"s", subresource
	g.parse(c)
	return c
}

func bareGate() *Gate {
	return New(Rooms{Types: func() canon.Types { return schema.BuiltIn() }, Engines: pointers{}, Proofs: &unproven{}})
}

// TestACordonIsNothingElse: a drain begins with it, so it is told from every other change of a node.
func TestACordonIsNothingElse(t *testing.T) {
	for name, row := range map[string]struct {
		old, now string
		want     change.Found
	}{
		"cordon":           {`},"spec":{}}`, `},"spec":{"unschedulable":true}}`, change.Present},
		"uncordon":         {`},"spec":{"unschedulable":true}}`, `},"spec":{}}`, change.Present},
		"without a spec":   {`}}`, `},"spec":{"unschedulable":true}}`, change.Present},
		"with a taint":     {`},"spec":{}}`, `},"spec":{"taints":[{"key":"k","effect":"NoSchedule"}],"unschedulable":true}}`, change.Absent},
		"with a label":     {`},"spec":{}}`, `,"labels":{"a":"b"}},"spec":{"unschedulable":true}}`, change.Absent},
		"with its address": {`},"spec":{}}`, `},"spec":{"unschedulable":true},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"}]}}`, change.Absent},
		"nothing":          {`},"spec":{}}`, `},"spec":{}}`, change.Absent},
	} {
		g := bareGate()
		if got := g.shape(update(g, "Node", "", "oncall", row.old, row.now)).CordonOnly; got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// TestT13TheCloudKeepsItsFinalizer: a load balancer's own finalizer comes with the status of its Service, and no other.
func TestT13TheCloudKeepsItsFinalizer(t *testing.T) {
	const status = `},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`
	for now, want := range map[string]change.Found{
		`,"finalizers":["service.kubernetes.io/load-balancer-cleanup"]` + status:                                            change.Present,
		`,"finalizers":["service.kubernetes.io/load-balancer-cleanup","example.com/stay"]` + status:                         change.Absent,
		`,"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"1"}]` + status:                               change.Absent,
		`,"annotations":{"a":"b"},"finalizers":["service.kubernetes.io/load-balancer-cleanup"]` + status:                    change.Absent,
		`,"finalizers":["service.kubernetes.io/load-balancer-cleanup"]},"spec":{"externalIPs":["192.0.2.1"]},` + status[2:]: change.Absent,
	} {
		g := bareGate()
		c := update(g, "Service", "status", "system:serviceaccount:kube-system:service-controller", `}}`, now)
		g.reach(t.Context(), c)
		if len(c.facts.Reach) != 1 || c.facts.Reach[0].Within != want {
			t.Errorf("%s: %+v, want %v", now, c.facts.Reach, want)
		}
	}
}
