package main

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestT14NobodyIsAnEngineByName: whoever may impersonate an engine, an approver or an administrator, and call himself
// by an engine's field manager, is held by what he applies all the same.
func TestT14NobodyIsAnEngineByName(t *testing.T) {
	l := newLab(t)
	l.edit("bindings.yaml", "fieldManager: deployer}", "via: {flux: {kustomization: flux-system/shop}}}")
	l.land("sara", version("2.0"))
	l.look()
	marked := func(manifest string) string {
		return strings.Replace(strings.Replace(manifest, "namespace: shop}", "namespace: shop, "+fluxMarks+"}", 1),
			"  namespace: shop\n", "  namespace: shop\n  "+fluxMarks+"\n", 1)
	}
	contents := map[string]string{
		"what nobody reviewed":     marked(story.Web(2, "", "2.0")),
		"what Git never had":       marked(story.Web(2, story.HostNetwork, "1.0")),
		"another banner":           strings.Replace(marked(story.Banner), "winter", "spring", 1),
		"a stranger":               strings.Replace(marked(story.Banner), "name: banner", "name: stranger", 1),
		"reviewed, of other marks": strings.Replace(marked(story.Banner), "name: shop,", "name: other,", 1),
	}
	people := []struct {
		user   string
		groups []string
	}{
		{"system:serviceaccount:flux-system:kustomize-controller", []string{"system:serviceaccounts", "system:serviceaccounts:flux-system"}},
		{"system:serviceaccount:argocd:argocd-application-controller", []string{"system:serviceaccounts:argocd"}},
		{"system:serviceaccount:flux-system:helm-controller", nil},
		{"system:serviceaccount:fairway-system:fairway", nil},
		{"system:serviceaccount:shop:default", nil},
		{"system:serviceaccount:kube-system:deployment-controller", nil},
		{"system:serviceaccount:kube-system:generic-garbage-collector", nil},
		{"system:kube-controller-manager", nil},
		{"system:apiserver", []string{"system:masters"}},
		{"sam", nil}, {"paula", nil}, {"admin", []string{"system:masters"}},
	}
	for name, content := range contents {
		for _, who := range people {
			for _, manager := range []string{"kustomize-controller", "argocd-controller", "helm-controller", "kubectl"} {
				for _, apply := range []bool{true, false} {
					w := story.Write{Object: content, User: who.user, Groups: who.groups, Manager: manager, Apply: apply}
					if answer, _ := l.try(w); answer.Allowed {
						t.Errorf("%s by %s as %s (apply %v) is admitted on lane %q", name, who.user, manager, apply, answer.AuditAnnotations["lane"])
					}
				}
			}
		}
	}
	flux := story.Write{Object: marked(story.Banner), User: people[0].user, Manager: "kustomize-controller", Apply: true}
	l.admits("proven", flux) // so it was the content
}

// fluxMarks are the labels by which Flux says whose an object is.
const fluxMarks = "labels: {kustomize.toolkit.fluxcd.io/name: shop, kustomize.toolkit.fluxcd.io/namespace: flux-system}"
