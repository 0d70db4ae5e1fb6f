package origin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

var web = change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}

const commit = "0123456789abcdef0123456789abcdef01234567"

func TestOf(t *testing.T) {
	type marks = map[string]string
	account := func(namespace, name string) change.User {
		return change.User{Name: "system:serviceaccount:" + namespace + ":" + name}
	}
	fluxLabels := marks{fluxName: "apps", fluxNamespace: "flux-system"}
	tests := []struct {
		name  string
		hints Hints
		want  change.Origin
	}{
		{name: "nothing is declared", hints: Hints{Labels: marks{"app": "web"}}},
		{
			name:  "flux kustomization",
			hints: Hints{Labels: fluxLabels, FieldManager: "kustomize-controller", User: account("flux-system", "kustomize-controller")},
			want:  change.Origin{Engine: "Flux", Owner: "Kustomization flux-system/apps"},
		},
		{
			name: "flux helm release, with the marks that helm leaves beside it",
			hints: Hints{
				Labels:      marks{fluxHelmName: "web", fluxHelmNamespace: "shop", "app.kubernetes.io/managed-by": "Helm"},
				Annotations: marks{helmRelease: "shop-web", helmNamespace: "shop"}, FieldManager: "helm-controller",
			},
			want: change.Origin{Engine: "Flux", Owner: "HelmRelease shop/web"},
		},
		{
			name:  "helm",
			hints: Hints{Annotations: marks{helmRelease: "web", helmNamespace: "shop"}, FieldManager: "helm"},
			want:  change.Origin{Engine: "Helm", Owner: "release shop/web"},
		},
		{
			name:  "a hook of helm's, which carries no marks",
			hints: Hints{Annotations: marks{helmHook: "pre-install"}, FieldManager: "helm"},
			want:  change.Origin{Engine: "Helm", Owner: "hook of a release"},
		},
		{
			name:  "a hook of a chart that argo cd renders",
			hints: Hints{Annotations: marks{helmHook: "pre-install"}, FieldManager: "argocd-controller"},
		},
		{
			name:  "helm's label alone names nobody: charts write it, whoever applies them",
			hints: Hints{Labels: marks{"app.kubernetes.io/managed-by": "Helm"}},
		},
		{
			name:  "argo cd",
			hints: Hints{Annotations: marks{argoTracking: "shop:apps/Deployment:shop/web"}, FieldManager: "argocd-controller"},
			want:  change.Origin{Engine: "Argo CD", Owner: "Application shop"},
		},
		{
			name:  "argo cd, application in another namespace",
			hints: Hints{Annotations: marks{argoTracking: "team-a_shop:apps/Deployment:shop/web"}},
			want:  change.Origin{Engine: "Argo CD", Owner: "Application team-a/shop"},
		},
		{
			name: "argo cd, core group",
			hints: Hints{
				ID:          change.ObjectID{Kind: "ConfigMap", Namespace: "shop", Name: "web"},
				Annotations: marks{argoTracking: "shop:/ConfigMap:shop/web"},
			},
			want: change.Origin{Engine: "Argo CD", Owner: "Application shop"},
		},
		{
			name: "argo cd, cluster-wide, with a colon in the name",
			hints: Hints{
				ID:          change.ObjectID{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "system:web"},
				Annotations: marks{argoTracking: "shop:rbac.authorization.k8s.io/ClusterRole:shop/system:web"},
			},
			want: change.Origin{Engine: "Argo CD", Owner: "Application shop"},
		},
		{
			name:  "argo cd tracking by label",
			hints: Hints{Labels: marks{instance: "shop"}, User: account("argocd", "argocd-application-controller")},
			want:  change.Origin{Engine: "Argo CD", Owner: "Application shop"},
		},
		{
			name:  "argo cd tracking by label, written before",
			hints: Hints{Labels: marks{instance: "shop"}, Managers: []string{"kube-controller-manager", "argocd-controller"}},
			want:  change.Origin{Engine: "Argo CD", Owner: "Application shop"},
		},
		{
			name:  "the instance label of a chart names nobody",
			hints: Hints{Labels: marks{instance: "shop"}, Managers: []string{"helm"}},
		},
		{
			name: "stamp",
			hints: Hints{Annotations: marks{
				change.StampRepository: "shop-config", change.StampCommit: commit, change.StampSource: "prod",
			}},
			want: change.Origin{Engine: "Stamp", Repository: "shop-config", Commit: commit, Source: "prod"},
		},
		{
			name:  "stamp, delivered by flux",
			hints: Hints{Labels: fluxLabels, Annotations: marks{change.StampCommit: strings.Repeat("a", 64)}},
			want:  change.Origin{Engine: "Flux", Owner: "Kustomization flux-system/apps", Commit: strings.Repeat("a", 64)},
		},
		{
			name:  "who writes declares nothing by itself",
			hints: Hints{FieldManager: "kustomize-controller", User: account("shop", "kustomize-controller")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.hints.ID == (change.ObjectID{}) {
				tt.hints.ID = web
			}
			if diff := cmp.Diff(tt.want, Of(tt.hints)); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
		})
	}
}

// TestT01Contradictions are marks that cannot all be true, most of them copied. What they spoil
// stays empty.
func TestT01Contradictions(t *testing.T) {
	type marks = map[string]string
	tests := []struct {
		name  string
		hints Hints
		want  change.Origin
	}{
		{
			name:  "tracking id of another object",
			hints: Hints{Annotations: marks{argoTracking: "shop:apps/Deployment:shop/other"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is of another object, so it was copied"}},
		},
		{
			name:  "tracking id of another kind",
			hints: Hints{Annotations: marks{argoTracking: "shop:apps/StatefulSet:shop/web"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is of another object, so it was copied"}},
		},
		{
			name:  "tracking id of another group",
			hints: Hints{Annotations: marks{argoTracking: "shop:/Deployment:shop/web"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is of another object, so it was copied"}},
		},
		{
			name:  "tracking id of another namespace",
			hints: Hints{Annotations: marks{argoTracking: "shop:apps/Deployment:prod/web"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is of another object, so it was copied"}},
		},
		{
			name:  "tracking id without an object",
			hints: Hints{Annotations: marks{argoTracking: "shop"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is malformed"}},
		},
		{
			name:  "tracking id without an application",
			hints: Hints{Annotations: marks{argoTracking: ":apps/Deployment:shop/web"}},
			want:  change.Origin{Conflicts: []string{"argocd.argoproj.io/tracking-id is malformed"}},
		},
		{
			name: "two owners",
			hints: Hints{
				Labels:      marks{fluxName: "apps", fluxNamespace: "flux-system"},
				Annotations: marks{argoTracking: "shop:apps/Deployment:shop/web"},
			},
			want: change.Origin{Conflicts: []string{
				"it is marked as owned by more than one: Kustomization flux-system/apps, Application shop",
			}},
		},
		{
			name:  "a kustomization and a helm release",
			hints: Hints{Labels: marks{fluxName: "apps", fluxNamespace: "a", fluxHelmName: "web", fluxHelmNamespace: "b"}},
			want:  change.Origin{Conflicts: []string{"it is marked as owned by more than one: Kustomization a/apps, HelmRelease b/web"}},
		},
		{
			name:  "half a mark",
			hints: Hints{Labels: marks{fluxName: "apps"}},
			want: change.Origin{Conflicts: []string{
				"it carries only one of kustomize.toolkit.fluxcd.io/name and kustomize.toolkit.fluxcd.io/namespace",
			}},
		},
		{
			name:  "a mark that is no name",
			hints: Hints{Annotations: marks{helmRelease: "field is immutable", helmNamespace: "shop"}},
			want: change.Origin{Conflicts: []string{
				"meta.helm.sh/release-name and meta.helm.sh/release-namespace do not hold the names of an owner",
			}},
		},
		{
			name:  "flux's object, written by argo cd",
			hints: Hints{Labels: marks{fluxName: "apps", fluxNamespace: "a"}, FieldManager: "argocd-controller"},
			want: change.Origin{
				Engine: "Flux", Owner: "Kustomization a/apps",
				Conflicts: []string{"it is marked as owned by Flux and written by Argo CD"},
			},
		},
		{
			name:  "a commit that is no full id",
			hints: Hints{Annotations: marks{change.StampCommit: "main", change.StampSource: "prod"}},
			want: change.Origin{
				Engine: "Stamp", Source: "prod",
				Conflicts: []string{"fairway.dev/commit is not a full commit id in lower-case hex"},
			},
		},
		{
			name:  "a commit id in upper case",
			hints: Hints{Annotations: marks{change.StampCommit: strings.ToUpper(commit)}},
			want:  change.Origin{Conflicts: []string{"fairway.dev/commit is not a full commit id in lower-case hex"}},
		},
		{
			name:  "a source that is no name",
			hints: Hints{Annotations: marks{change.StampSource: "../prod"}},
			want:  change.Origin{Conflicts: []string{"fairway.dev/source is not the name of a source"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.hints.ID = web
			if diff := cmp.Diff(tt.want, Of(tt.hints)); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
		})
	}
}

// TestT37NoURLFromAnObject: whatever an object gives for a repository, only a name comes out.
func TestT37NoURLFromAnObject(t *testing.T) {
	for _, url := range []string{
		"https://evil.example/x.git", "http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/",
		"ssh://git@evil.example/x", "git@evil.example:x/y.git", "file:///etc/passwd", "/etc/passwd", "../../x",
		"--upload-pack=touch /tmp/x", "ext::sh -c touch% /tmp/x", "github.com/evil/x", "evil.example/x", "//evil.example",
		"evil.example:22", "a b", "a\nb", "", "localhost/", "HTTP://EVIL", "git::https://evil.example", "%68ttp://x",
		"user@evil.example", "evil.example?ref=x", "evil.example#x", "\x00", "ünïcode", strings.Repeat("a", 254),
	} {
		got := Of(Hints{ID: web, Annotations: map[string]string{change.StampRepository: url}})
		want := change.Origin{Conflicts: []string{"fairway.dev/repository is not the name of a Repository; it is never a URL"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", url, diff)
		}
	}
}

func TestRead(t *testing.T) {
	object, err := canon.Parse([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"a":"b"},"annotations":{"c":"d"},` +
		`"managedFields":[{"manager":"kubectl","operation":"Apply"},{"manager":"helm"}]},"spec":{"replicas":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	request := &change.Request{ID: web, User: change.User{Name: "ada"}, FieldManager: "kubectl"}
	want := Hints{
		ID: web, Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
		Managers: []string{"kubectl", "helm"}, User: request.User, FieldManager: "kubectl",
	}
	if diff := cmp.Diff(want, Read(request, object)); diff != "" {
		t.Errorf("a request with an object (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Hints{ID: web, User: request.User, FieldManager: "kubectl"}, Read(request, nil)); diff != "" {
		t.Errorf("a request without one (-want +got):\n%s", diff)
	}
}

// FuzzOf: never panics, and never says anything that is not a fixed text or a valid name.
func FuzzOf(f *testing.F) {
	f.Add("shop:apps/Deployment:shop/web", "apps", "flux-system", "shop-config", commit, "kustomize-controller")
	f.Add("a_b:apps/Deployment:shop/web:x", "", "x", "https://u:p@h/x", "main", "argocd-controller")
	f.Add("::", "is immutable", "immutable field", "\x00", "<unknown>", "helm")
	f.Fuzz(func(t *testing.T, tracking, name, namespace, repository, id, manager string) {
		h := Hints{
			ID: web, FieldManager: manager, Managers: []string{manager},
			Labels: map[string]string{fluxName: name, fluxNamespace: namespace, instance: name},
			Annotations: map[string]string{
				argoTracking: tracking, helmRelease: name, helmNamespace: namespace,
				change.StampRepository: repository, change.StampCommit: id, change.StampSource: name,
			},
		}
		o := Of(h)
		if o.Commit != "" && !IsCommit(o.Commit) || o.Repository != "" && !isName(o.Repository) || o.Source != "" && !isName(o.Source) {
			t.Errorf("origin %+v holds what was not checked", o)
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "immutable f") || strings.Contains(string(text), "is immutable") {
			t.Errorf("origin %s repeats free text", text)
		}
	})
}
