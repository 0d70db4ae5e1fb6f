package origin

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

func manifest(meta map[string]any) map[string]any {
	return map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
}

func TestStamp(t *testing.T) {
	stamp := map[string]any{change.StampRepository: "shop-config", change.StampCommit: commit, change.StampSource: "prod"}
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(stamp)
		maps.Copy(all, more)
		return all
	}
	tests := []struct {
		name       string
		meta, want map[string]any
	}{
		{"no annotations", map[string]any{"name": "web"}, map[string]any{"name": "web", "annotations": with(nil)}},
		{"null annotations", map[string]any{"annotations": nil}, map[string]any{"annotations": with(nil)}},
		{
			"others stay", map[string]any{"annotations": map[string]any{"a": "b"}},
			map[string]any{"annotations": with(map[string]any{"a": "b"})},
		},
		{"the same stamp", map[string]any{"annotations": with(nil)}, map[string]any{"annotations": with(nil)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := manifest(tt.meta)
			if err := Stamp(object, "shop-config", commit, "prod"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(manifest(tt.want), object); diff != "" {
				t.Errorf("stamped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStampRefuses(t *testing.T) {
	tests := []struct {
		name                       string
		object                     map[string]any
		repository, commit, source string
	}{
		{"another commit", manifest(map[string]any{"annotations": map[string]any{change.StampCommit: "b"}}), "r", commit, "s"},
		{"another repository", manifest(map[string]any{"annotations": map[string]any{change.StampRepository: "q"}}), "r", commit, "s"},
		{"a stamp that is no text", manifest(map[string]any{"annotations": map[string]any{change.StampSource: int64(1)}}), "r", commit, "s"},
		{"annotations that are no map", manifest(map[string]any{"annotations": "x"}), "r", commit, "s"},
		{"no metadata", map[string]any{"kind": "Deployment"}, "r", commit, "s"},
		{"a url", manifest(map[string]any{}), "https://x/y", commit, "s"},
		{"a short commit id", manifest(map[string]any{}), "r", commit[:8], "s"},
		{"no source", manifest(map[string]any{}), "r", commit, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := clone(tt.object).(map[string]any)
			if err := Stamp(tt.object, tt.repository, tt.commit, tt.source); err == nil {
				t.Error("stamped")
			}
			if diff := cmp.Diff(before, tt.object); diff != "" {
				t.Errorf("the manifest changed (-before +after):\n%s", diff)
			}
		})
	}
}

func clone(v any) any {
	m, isMap := v.(map[string]any)
	if !isMap {
		return v
	}
	c := make(map[string]any, len(m))
	for k, v := range m {
		c[k] = clone(v)
	}
	return c
}

// TestMarksByLabel: the label names its engine only together with who wrote it, since charts set it too.
func TestMarksByLabel(t *testing.T) {
	via := tier.Via{Engine: "ArgoCD", Owner: "argocd/app", ArgoCD: tier.ArgoCD{Namespace: "argocd", Tracking: "Label", LabelKey: instance}}
	marks := MarksOf(via, web, "shop")
	if diff := cmp.Diff(Marks{Labels: map[string]string{instance: "app"}}, marks); diff != "" {
		t.Fatalf("marks (-want +got):\n%s", diff)
	}
	want := change.Origin{Engine: "Argo CD", Owner: "Application app"}
	if diff := cmp.Diff(want, Of(Hints{ID: web, Labels: marks.Labels, FieldManager: "argocd-controller"})); diff != "" {
		t.Errorf("origin of the marked object (-want +got):\n%s", diff)
	}
}

// TestStripStamp: a stamp adds nothing but its keys, and taking it off gives the manifest back.
func TestStripStamp(t *testing.T) {
	for _, meta := range []map[string]any{
		{"name": "web"},
		{"name": "web", "annotations": map[string]any{"a": "b"}},
		{"name": "web", "labels": map[string]any{change.StampCommit: "a label is none"}},
	} {
		object, before := manifest(meta), clone(manifest(meta))
		if err := Stamp(object, "r", commit, "s"); err != nil {
			t.Fatal(err)
		}
		annotations := object["metadata"].(map[string]any)["annotations"].(map[string]any)
		added := slices.Sorted(maps.Keys(annotations))
		added = slices.DeleteFunc(added, func(key string) bool { return key == "a" })
		if diff := cmp.Diff(change.StampKeys(), added); diff != "" {
			t.Errorf("keys of a stamp (-want +got):\n%s", diff)
		}
		StripStamp(object)
		if diff := cmp.Diff(before, any(object)); diff != "" {
			t.Errorf("stripped (-want +got):\n%s", diff)
		}
	}
	empty := manifest(map[string]any{"annotations": map[string]any{}})
	StripStamp(empty)
	if diff := cmp.Diff(manifest(map[string]any{"annotations": map[string]any{}}), empty); diff != "" {
		t.Errorf("not stamped (-want +got):\n%s", diff)
	}
	StripStamp(map[string]any{}) // nothing to take off
}

// TestMarks: what is added makes the object its engine's own, and nobody else's.
func TestMarks(t *testing.T) {
	node := change.ObjectID{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "system:web"}
	tests := []struct {
		name string
		via  tier.Via
		id   change.ObjectID
		want Marks
		owns change.Origin
	}{
		{
			name: "flux", via: tier.Via{Engine: "Flux", Owner: "apps"}, id: web,
			want: Marks{Labels: map[string]string{fluxName: "apps", fluxNamespace: "shop"}},
			owns: change.Origin{Engine: "Flux", Owner: "Kustomization shop/apps"},
		},
		{
			name: "flux, elsewhere", via: tier.Via{Engine: "Flux", Owner: "flux-system/apps"}, id: web,
			want: Marks{Labels: map[string]string{fluxName: "apps", fluxNamespace: "flux-system"}},
			owns: change.Origin{Engine: "Flux", Owner: "Kustomization flux-system/apps"},
		},
		{
			name: "argo cd", via: tier.Via{Engine: "ArgoCD", Owner: "app"}, id: web,
			want: Marks{Annotations: map[string]string{argoTracking: "app:apps/Deployment:shop/web"}},
			owns: change.Origin{Engine: "Argo CD", Owner: "Application app"},
		},
		{
			name: "argo cd, elsewhere, cluster-wide", via: tier.Via{Engine: "ArgoCD", Owner: "team-a/app"}, id: node,
			want: Marks{Annotations: map[string]string{argoTracking: "team-a_app:rbac.authorization.k8s.io/ClusterRole:shop/system:web"}},
			owns: change.Origin{Engine: "Argo CD", Owner: "Application team-a/app"},
		},
		{
			name: "argo cd, in its own namespace", id: web,
			via:  tier.Via{Engine: "ArgoCD", Owner: "argocd/app", ArgoCD: tier.ArgoCD{Namespace: "argocd", LabelKey: instance}},
			want: Marks{Annotations: map[string]string{argoTracking: "app:apps/Deployment:shop/web"}},
			owns: change.Origin{Engine: "Argo CD", Owner: "Application app"},
		},
		{
			name: "argo cd, by annotation and label, one of several", id: web,
			via: tier.Via{Engine: "ArgoCD", Owner: "argocd/app", ArgoCD: tier.ArgoCD{
				Namespace: "argocd", Tracking: "AnnotationAndLabel", LabelKey: "example.com/app", InstallationID: "blue",
			}},
			want: Marks{
				Labels:      map[string]string{"example.com/app": "app"},
				Annotations: map[string]string{argoTracking: "app:apps/Deployment:shop/web", argoInstallation: "blue"},
			},
			owns: change.Origin{Engine: "Argo CD", Owner: "Application app"},
		},
		{
			name: "argo cd, a name that is too long for a label", id: web,
			via: tier.Via{Engine: "ArgoCD", Owner: "argocd/" + strings.Repeat("a", 61) + "..b", ArgoCD: tier.ArgoCD{
				Namespace: "argocd", Tracking: "AnnotationAndLabel", LabelKey: instance,
			}},
			want: Marks{
				Labels:      map[string]string{instance: strings.Repeat("a", 61)},
				Annotations: map[string]string{argoTracking: strings.Repeat("a", 61) + "..b:apps/Deployment:shop/web"},
			},
			owns: change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is malformed"}},
		},
		{
			name: "argo cd, cluster-wide, with a destination", id: node,
			via:  tier.Via{Engine: "ArgoCD", Owner: "argocd/app", ArgoCD: tier.ArgoCD{Namespace: "argocd", Destination: "shop"}},
			want: Marks{Annotations: map[string]string{argoTracking: "app:rbac.authorization.k8s.io/ClusterRole:shop/system:web"}},
			owns: change.Origin{Engine: "Argo CD", Owner: "Application app"},
		},
		{
			name: "argo cd leaves custom kinds alone", via: tier.Via{Engine: "ArgoCD", Owner: "app"},
			id: change.ObjectID{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "things.example.com"},
		},
		{name: "kubectl", via: tier.Via{Engine: "CI"}, id: web},
		{name: "no owner", via: tier.Via{Engine: "Flux"}, id: web},
		{
			name: "helm release of flux", via: tier.Via{Engine: "HelmRelease", Owner: "flux-system/web"}, id: web,
			want: Marks{Labels: map[string]string{fluxHelmName: "web", fluxHelmNamespace: "flux-system"}},
			owns: change.Origin{Engine: "Flux", Owner: "HelmRelease flux-system/web"},
		},
		{name: "helm, whose marks are rendered", via: tier.Via{Engine: "Helm"}, id: web},
		{name: "another engine", via: tier.Via{Engine: "Fleet", Owner: "web"}, id: web},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			marks := MarksOf(tt.via, tt.id, "shop")
			if diff := cmp.Diff(tt.want, marks); diff != "" {
				t.Fatalf("marks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.owns, Of(Hints{ID: tt.id, Labels: marks.Labels, Annotations: marks.Annotations})); diff != "" {
				t.Errorf("origin of the marked object (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarksAdd(t *testing.T) {
	object := manifest(map[string]any{"labels": map[string]any{"app": "web", fluxName: "forged"}})
	marks := Marks{Labels: map[string]string{fluxName: "apps"}, Annotations: map[string]string{"a": "b"}}
	if err := marks.Add(object); err != nil {
		t.Fatal(err)
	}
	want := manifest(map[string]any{
		"labels": map[string]any{"app": "web", fluxName: "apps"}, "annotations": map[string]any{"a": "b"},
	})
	if diff := cmp.Diff(want, object); diff != "" {
		t.Errorf("marked (-want +got):\n%s", diff)
	}
	bare := manifest(map[string]any{"name": "web"})
	if err := (Marks{}).Add(bare); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifest(map[string]any{"name": "web"}), bare); diff != "" {
		t.Errorf("no marks (-want +got):\n%s", diff)
	}
	for _, bad := range []map[string]any{{}, manifest(map[string]any{"labels": []any{}})} {
		if err := marks.Add(bad); err == nil {
			t.Errorf("marked %v", bad)
		}
	}
}
