package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestReports: what the gate refused and what audits found is told by the kinds that other tools read,
// an Event and a Report of openreports.io, on an API server that has the latter's kind only later.
func TestReports(t *testing.T) {
	l := newServeLab(t)
	ctx := t.Context()
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.refused(l.deliver(strings.ReplaceAll(story.Banner, "winter", "summer"), first), "ContentDiffers")
	l.event("Refused", "TierBinding", "tier", "shop", "ContentDiffers")

	l.enforcing(metav1.ConditionTrue, v1alpha1.ReasonSwept, "") // audited without the kind
	l.reportKind()
	l.report("shop", func(r *openreports.Report) error {
		if r.Source != "fairway" || r.Scope == nil || r.Scope.Name != "shop" || r.Summary.Pass == 0 || r.Summary.Fail != 0 {
			return fmt.Errorf("it is %+v", r)
		}
		return nil
	})

	l.unguard()
	banner := manifest(t, story.Banner)
	if _, err := l.on("sara", banner).Patch(ctx, "banner", types.MergePatchType, []byte(`{"data":{"text":"free"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	l.guard()
	l.report("shop", func(r *openreports.Report) error {
		for _, result := range r.Results {
			if result.Result == "fail" && r.Summary.Fail == 1 && len(result.Subjects) == 1 && result.Subjects[0].Name == "banner" {
				return nil
			}
		}
		return fmt.Errorf("it does not name what drifted: %+v", r)
	})
	l.event("Drifted", "TierBinding", "tier", "shop", "banner")

	// A namespace that is bound no more has no Report.
	l.unguard()
	bindings := l.as("admin").Resource(fairwayResource("TierBinding"))
	if err := bindings.Namespace("shop").Delete(ctx, "tier", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("its Report is gone", func(ctx context.Context) error {
		_, err := l.reports().Get(ctx, "audit-tier-shop", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there (%w)", err)
		}
		return nil
	})
	if log := l.program.Log(); strings.Contains(log, "report could not be written") || strings.Contains(log, "reports could not be pruned") {
		t.Errorf("reports failed:\n%s", log)
	}
}

// reportKind installs the kind Report, as its own project ships it.
func (l *serveLab) reportKind() {
	l.t.Helper()
	dir, err := exec.CommandContext(l.t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	if err != nil {
		l.t.Fatal(err)
	}
	crds := l.as("admin").Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	for _, crd := range manifests(l.t, filepath.Join(strings.TrimSpace(string(dir)), "config", "crd")) {
		if crd.GetName() == "reports.openreports.io" {
			if _, err := crds.Create(l.t.Context(), &crd, metav1.CreateOptions{}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// reports is where Fairway's Reports are.
func (l *serveLab) reports() dynamic.ResourceInterface {
	return l.as("admin").Resource(openreports.SchemeGroupVersion.WithResource("reports")).Namespace("fairway-system")
}

// report awaits that the Report of a namespace is as it should be.
func (l *serveLab) report(namespace string, is func(*openreports.Report) error) {
	l.t.Helper()
	l.until("the Report of "+namespace, func(ctx context.Context) error {
		object, err := l.reports().Get(ctx, "audit-tier-"+namespace, metav1.GetOptions{})
		if err != nil {
			return err
		}
		var report openreports.Report
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &report); err != nil {
			return err
		}
		return is(&report)
	})
}
