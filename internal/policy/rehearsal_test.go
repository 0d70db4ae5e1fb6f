package policy

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestArgoCDMayShowTheDifference: the dry run of a server-side diff is admitted with the warning of what
// the apply would be told, and nothing else is for that.
func TestArgoCDMayShowTheDifference(t *testing.T) {
	diff := func(edits ...func(*Facts)) Facts {
		f := deployment(production(), change.Update)
		f.Binding.Sources[0].Via.Engine, f.Binding.Sources[0].FieldManager = "ArgoCD", "argocd-controller"
		f.Request.DryRun, f.Request.FieldManager, f.Making = true, "argocd-controller", change.Absent
		for _, edit := range edits {
			edit(&f)
		}
		return f
	}
	v := Admit(diff())
	s := v.Status()
	if v.Outcome != Deny || v.Lane != LaneRefuse || !s.Allowed {
		t.Errorf("outcome %s on lane %s, allowed %t, want a refusal that lets the dry run through", v.Outcome, v.Lane, s.Allowed)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "would be refused") {
		t.Errorf("the warnings are %q", s.Warnings)
	}
	for name, edit := range map[string]func(*Facts){
		"the apply itself":               func(f *Facts) { f.Request.DryRun = false },
		"by another manager":             func(f *Facts) { f.Request.FieldManager = "kubectl" },
		"delivered by Flux":              func(f *Facts) { f.Binding.Sources[0].Via.Engine = "Flux" },
		"of what is not there":           func(f *Facts) { f.Request.Operation, f.Request.Old = change.Create, nil },
		"of a deletion":                  func(f *Facts) { f.Request.Operation, f.Request.Object = change.Delete, nil },
		"of a sub-resource":              func(f *Facts) { f.Request.Resource.Subresource = "scale" },
		"of Fairway's own configuration": func(f *Facts) { f.Request.Resource.Group, f.Request.Kind = "fairway.dev", own("EnvironmentTier") },
	} {
		if s := Admit(diff(edit)).Status(); s.Allowed {
			t.Errorf("%s is let through", name)
		}
	}
	audit := diff(func(f *Facts) { f.Tiers[0].Enforcement = tier.Audit })
	if v := Admit(audit); v.Enforcement != tier.Audit {
		t.Errorf("a tier that only audits came to %s", v.Enforcement)
	}
}

// TestHelmControllerMayLookForDrift: it tries what is there and what is not, by dry runs alone.
func TestHelmControllerMayLookForDrift(t *testing.T) {
	for name, tt := range map[string]struct {
		edit    func(*Facts)
		allowed bool
	}{
		"what is there":     {func(*Facts) {}, true},
		"what is not there": {func(f *Facts) { f.Request.Operation, f.Request.Old = change.Create, nil }, true},
		"the apply itself":  {func(f *Facts) { f.Request.DryRun = false }, false},
		"a deletion":        {func(f *Facts) { f.Request.Operation, f.Request.Object = change.Delete, nil }, false},
		"another manager":   {func(f *Facts) { f.Request.FieldManager = "kubectl" }, false},
		"of a sub-resource": {func(f *Facts) { f.Request.Resource.Subresource = "scale" }, false},
	} {
		f := deployment(production(), change.Update)
		f.Binding.Sources[0].Via.Engine, f.Binding.Sources[0].FieldManager = "HelmRelease", "helm-controller"
		f.Request.DryRun, f.Request.FieldManager, f.Making = true, "helm-controller", change.Absent
		tt.edit(&f)
		if s := Admit(f).Status(); s.Allowed != tt.allowed {
			t.Errorf("%s: allowed is %t", name, s.Allowed)
		}
	}
}

// TestT30MirrorPodsAreReported: what a node makes of its own files can be refused by nobody, and is told.
func TestT30MirrorPodsAreReported(t *testing.T) {
	for _, s := range situations() {
		if s.name != "T-30: a mirror Pod" {
			continue
		}
		v := Admit(s.make(production()))
		if told := v.Status().Warnings; v.Outcome != Allow || len(told) != 1 || !strings.Contains(told[0], "cannot judge what a node makes by itself") {
			t.Errorf("%s with the warnings %q", v.Outcome, told)
		}
		return
	}
	t.Error("no such situation")
}
