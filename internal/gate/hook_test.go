package gate

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestRunsHooks: what each engine runs and removes, by its annotations.
func TestRunsHooks(t *testing.T) {
	argo, chart := tier.Via{Engine: "ArgoCD"}, tier.Source{Render: tier.Chart, Via: tier.Via{Engine: "Helm"}}
	const own, helm = "argocd.argoproj.io/hook", "helm.sh/hook"
	for name, tt := range map[string]struct {
		source tier.Source
		marks  map[string]string
		want   bool
	}{
		"Argo CD, its own":                {tier.Source{Via: argo}, map[string]string{own: "PreSync"}, true},
		"Argo CD, a chart's":              {tier.Source{Render: tier.Chart, Via: argo}, map[string]string{helm: "pre-upgrade"}, true},
		"Argo CD, a chart's as it stands": {tier.Source{Via: argo}, map[string]string{helm: "pre-upgrade"}, true},
		"Argo CD, left out":               {tier.Source{Via: argo}, map[string]string{own: "Skip", helm: "pre-upgrade"}, false},
		"Argo CD, a definition":           {tier.Source{Via: argo}, map[string]string{helm: "crd-install"}, false},
		"Argo CD, none":                   {tier.Source{Via: argo}, map[string]string{"a": "b"}, false},
		"Helm, a chart's":                 {chart, map[string]string{helm: "pre-upgrade"}, true},
		"Helm, Argo CD's":                 {chart, map[string]string{own: "PreSync"}, false},
		"kubectl, a chart's":              {tier.Source{}, map[string]string{helm: "pre-upgrade", own: "PreSync"}, false},
	} {
		if got := runs(tt.source, tt.marks); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
