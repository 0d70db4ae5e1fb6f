package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestT21AnUninstallRunsNothing: helm runs the hooks of an uninstall before it deletes anything, so before
// anybody is asked. An uninstall that no commit asks for would be refused object by object, and the Job that
// drops the database would have run. Where kubectl delivers what helm renders, it is a Job like another.
func TestT21AnUninstallRunsNothing(t *testing.T) {
	const drop = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: drop\n  namespace: shop\n  annotations: {helm.sh/hook: pre-delete}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: a, image: one}]}}\n"
	for name, tt := range map[string]struct {
		via, manager string
		proven       bool
	}{
		"helm":            {"helm: {users: [helm]}", "helm", false},
		"helm-controller": {"helmRelease: {name: shop/shop, users: [helm]}", "helm-controller", false},
		"a pipeline":      {"ci: {users: [helm]}", "kubectl", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.edit("bindings.yaml", "path: shop/production, render: Plain, fieldManager: deployer}",
				"path: charts/shop, render: Helm, helm: {release: shop, valuesFiles: [values/shop.yaml]}, via: {"+tt.via+"}}")
			chart := helmChart("one")
			chart["charts/shop/templates/drop.yaml"] = strings.ReplaceAll(drop, "  namespace: shop\n", "")
			l.land("sara", chart, "sam", "paula")
			l.look()
			object := drop
			if name == "helm-controller" {
				object = strings.Replace(object, "  annotations", "  labels: {helm.toolkit.fluxcd.io/name: shop, helm.toolkit.fluxcd.io/namespace: shop}\n  annotations", 1)
			}
			write := story.Write{Object: object, User: "helm", Manager: tt.manager, Apply: true}
			if tt.proven {
				l.admits("proven", write)
				return
			}
			l.refuses(http.StatusForbidden, write, "FW201")
		})
	}
}

// TestT10ARollbackRunsNothing that nobody signed for: helm runs its hooks first, and the newest commit renders
// them as the older one does.
func TestT10ARollbackRunsNothing(t *testing.T) {
	const restore = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: restore\n  namespace: shop\n  annotations: {helm.sh/hook: 'pre-rollback,post-rollback'}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: a, image: one}]}}\n"
	l := newLab(t)
	l.edit("bindings.yaml", "path: shop/production, render: Plain, fieldManager: deployer}",
		"path: charts/shop, render: Helm, helm: {release: shop, valuesFiles: [values/shop.yaml]}, via: {helm: {users: [helm]}}}")
	chart := helmChart("one")
	chart["charts/shop/templates/restore.yaml"] = strings.ReplaceAll(restore, "  namespace: shop\n", "")
	l.land("sara", chart, "sam", "paula")
	l.look()
	l.admits("proven", story.Write{Object: strings.NewReplacer("LABELS", "", "TEXT", "one").Replace(releaseText), User: "helm", Manager: "helm", Apply: true})
	l.refuses(http.StatusForbidden, story.Write{Object: restore, User: "helm", Manager: "helm", Apply: true}, "FW211", "hook of a roll-back")
}
