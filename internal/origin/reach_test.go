package origin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestT15Reaches: whose tiers judge an object that tells Argo CD what to deliver.
func TestT15Reaches(t *testing.T) {
	const here, there = `"server": "https://kubernetes.default.svc"`, `"server": "https://other.example.com"`
	tests := []struct {
		name, kind, spec string
		want             []string
		everywhere       bool
	}{
		{"an application", "Application", `{"destination": {` + here + `, "namespace": "shop"}}`, []string{"shop"}, false},
		{"by the name of the cluster", "Application", `{"destination": {"name": "in-cluster", "namespace": "shop"}}`, []string{"shop"}, false},
		{"of another cluster", "Application", `{"destination": {` + there + `, "namespace": "shop"}}`, nil, false},
		{"of another cluster by name", "Application", `{"destination": {"name": "blue", "namespace": "shop"}}`, nil, false},
		{"spelled otherwise", "Application", `{"destination": {"server": "HTTPS://Kubernetes.default.svc/", "namespace": "shop"}}`, []string{"shop"}, false},
		{"of another cluster, which is named like this one", "Application", `{"destination": {` + there + `, "name": "in-cluster", "namespace": "shop"}}`, []string{"shop"}, false},
		{"without a namespace", "Application", `{"destination": {` + here + `}}`, nil, true},
		{"without a cluster", "Application", `{"destination": {"namespace": "shop"}}`, []string{"shop"}, false},
		{"without a destination", "Application", `{}`, nil, true},
		{"in other letters", "Application", `{"destination": {` + here + `, "namespace": "shop"}, "Destination": {` + there + `, "namespace": "play"}}`, []string{"shop"}, false},
		{"twice", "Application", `{"destination": {` + here + `, "namespace": "shop"}, "destination": {` + there + `, "namespace": "play"}}`, nil, true},
		{"of a wrong type", "Application", `{"destination": 3}`, nil, true},
		{"a project", "AppProject", `{"destinations": [{` + here + `, "namespace": "a"}, {"server": "*", "namespace": "b"}, {` + there + `, "namespace": "*"}]}`, []string{"a", "b"}, false},
		{"a project that fits by name", "AppProject", `{"destinations": [{` + there + `, "name": "in-cluster", "namespace": "a"}, {` + there + `, "name": "*", "namespace": "b"}, {` + there + `, "name": "blue", "namespace": "c"}]}`, []string{"a", "b"}, false},
		{"a project with a pattern", "AppProject", `{"destinations": [{` + here + `, "namespace": "team-*"}]}`, nil, true},
		{"a project that excludes", "AppProject", `{"destinations": [{` + here + `, "namespace": "!kube-system"}]}`, nil, true},
		{"a project of nothing", "AppProject", `{}`, nil, false},
		{"a set", "ApplicationSet", `{"template": {"spec": {"destination": {` + here + `, "namespace": "shop"}}}}`, []string{"shop"}, false},
		{"a set with a template", "ApplicationSet", `{"template": {"spec": {"destination": {"server": "{{.server}}", "namespace": "shop"}}}}`, []string{"shop"}, false},
		{"a set with a template of namespaces", "ApplicationSet", `{"template": {"spec": {"destination": {` + here + `, "namespace": "{{.path.basename}}"}}}}`, nil, true},
		{"a set with a template in a generator", "ApplicationSet", `{"generators": [{"list": {"template": {"spec": {"destination": {"namespace": "x"}}}}}], "template": {"spec": {"destination": {` + here + `, "namespace": "shop"}}}}`, nil, true},
		{"a set with a patch", "ApplicationSet", `{"templatePatch": "x", "template": {"spec": {"destination": {` + there + `, "namespace": "shop"}}}}`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := `{"apiVersion": "argoproj.io/v1alpha1", "kind": "` + tt.kind + `", "spec": ` + tt.spec + `}`
			got, everywhere, chained := Reaches(change.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: tt.kind}, []byte(raw))
			if diff := cmp.Diff(tt.want, got); diff != "" || everywhere != tt.everywhere || !chained {
				t.Errorf("everywhere %t, chained %t; namespaces (-want +got):\n%s", everywhere, chained, diff)
			}
		})
	}
	for _, kind := range []change.Kind{{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}, {Version: "v1", Kind: "ConfigMap"}, {Group: "x.example", Kind: "Application"}} {
		if namespaces, everywhere, chained := Reaches(kind, []byte(`{}`)); chained || everywhere || len(namespaces) > 0 {
			t.Errorf("%v tells an engine what to deliver", kind)
		}
	}
}

// TestRepeats: a sync that names the sources which the Application has says nothing new; any other does.
func TestRepeats(t *testing.T) {
	app := change.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}
	source, sources := []string{"operation.sync.source"}, []string{"operation.sync.sources"}
	for _, tt := range []struct {
		name, spec, sync string
		want             []string
	}{
		{"its source", `"source": {"path": "a", "repoURL": "u"}`, `"source": {"repoURL": "u", "path": "a"}`, source},
		{"its sources", `"sources": [{"path": "a"}, {"path": "b"}]`, `"sources": [{"path": "a"}, {"path": "b"}]`, sources},
		{"sources in another order", `"sources": [{"path": "a"}, {"path": "b"}]`, `"sources": [{"path": "b"}, {"path": "a"}]`, nil},
		{"another path", `"source": {"path": "a"}`, `"source": {"path": "b"}`, nil},
		{"more than its source", `"source": {"path": "a"}`, `"source": {"path": "a", "helm": {"values": "x"}}`, nil},
		{"in other letters", `"source": {"path": "a"}`, `"Source": {"path": "a"}`, nil},
		{"twice", `"source": {"path": "a"}`, `"source": {"path": "a"}, "source": {"path": "b"}`, nil},
		{"none", `"source": {"path": "a"}`, `"revision": "c"`, nil},
		{"one that it has not", `"sources": [{"path": "a"}]`, `"source": {"path": "a"}`, nil},
		{"nothing of nothing", ``, ``, nil},
	} {
		raw := `{"spec": {` + tt.spec + `}, "operation": {"sync": {` + tt.sync + `}}}`
		if diff := cmp.Diff(tt.want, Repeats(app, []byte(raw))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if got := Repeats(change.Kind{Group: "x.example", Kind: "Application"}, []byte(raw)); got != nil {
			t.Errorf("%s: an object of another group repeats %v", tt.name, got)
		}
	}
}
