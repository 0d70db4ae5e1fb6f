package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// TestT27CoverageFollowsDiscovery: what a real API server serves is held against the webhook configuration
// that it has. A custom kind and its sub-resources are covered from the moment they are served; what a hand
// takes out of the configuration is told, and told no more when it is mended. No policy is in the way here.
func TestT27CoverageFollowsDiscovery(t *testing.T) {
	l := newServeLabOn(t, controlplane.Options{}, (*serveLab).serve)
	l.seal()
	missing := float64(len(manifests(t, "../config/policies")) / 2) // the shipped policies, of which none is here
	l.until("no gap but the policies is told", func(ctx context.Context) error { return l.gaps(ctx, missing) })

	content, err := os.ReadFile("testdata/everykind-crds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l.unguard()
	l.until("a configuration that is gone is told", func(ctx context.Context) error {
		return l.uncovered(ctx, missing+1, "there is no webhook configuration fairway")
	})
	crds := l.as("admin").Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	for _, crd := range documents(t, content) {
		if _, err := crds.Create(t.Context(), &crd, strict); err != nil {
			t.Fatal(err)
		}
	}
	l.guard()
	l.until("the custom kinds are served", func(ctx context.Context) error {
		_, err := l.typed.Discovery().ServerResourcesForGroupVersionWithContext(ctx, "t03.example/v1")
		return err
	})
	l.until("the custom kinds are covered", func(ctx context.Context) error { return l.gaps(ctx, missing) })

	hooks := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	patch := func(what string) {
		t.Helper()
		if _, err := hooks.Patch(t.Context(), "fairway", types.JSONPatchType, []byte("["+what+"]"), metav1.PatchOptions{}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	mend := ""
	for _, step := range []struct{ name, weaken, mend, told string }{
		{"sub-resources but the status", `{"op":"replace","path":"/webhooks/0/rules/0/resources","value":["*","*/status"]}`,
			`{"op":"replace","path":"/webhooks/0/rules/0/resources","value":["*/*"]}`, "no gate is asked about UPDATE of gadgets/scale of t03.example in "},
		{"a namespace", `{"op":"add","path":"/webhooks/0/namespaceSelector/matchExpressions/0/values/-","value":"shop"}`,
			`{"op":"remove","path":"/webhooks/0/namespaceSelector/matchExpressions/0/values/4"}`, "no gate is asked about anything in shop"},
		{"failing closed", `{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}`,
			`{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}`, "no gate need answer for CREATE, DELETE, UPDATE of gadgets of t03.example in "},
		{"who is asked about", `{"op":"add","path":"/webhooks/0/matchConditions/-","value":{"name":"me","expression":"request.userInfo.username != 'me'"}}`,
			`{"op":"remove","path":"/webhooks/0/matchConditions/4"}`, "no gate is asked about anything in the cluster's scope"},
	} {
		patch(mend + step.weaken)
		l.until(step.name+" is missed", func(ctx context.Context) error { return l.uncovered(ctx, missing+1, step.told) })
		mend = step.mend + ","
	}
	patch(strings.TrimSuffix(mend, ","))
	l.until("all is mended", func(ctx context.Context) error {
		if err := l.gaps(ctx, missing); err != nil {
			return err
		}
		c, err := l.coverageGap(ctx)
		if err == nil && strings.Contains(c.Message, "gate") {
			err = fmt.Errorf("the condition says %q", c.Message)
		}
		return err
	})
	l.event(v1alpha1.ReasonUnguarded, "TierBinding", v1alpha1.ClusterBindingName, "fairway-system", "no webhook configuration")
}

// uncovered holds that at least so many gaps are told, by metric and condition, and that the log, which is
// never cut, has said something.
func (l *serveLab) uncovered(ctx context.Context, least float64, said string) error {
	got, err := l.metric(ctx, "fairway_coverage_gaps", "")
	if err != nil || got < least {
		return fmt.Errorf("%v gaps, want %v and more, %w", got, least, err)
	}
	c, err := l.coverageGap(ctx)
	switch {
	case err != nil:
		return err
	case c.Status != metav1.ConditionTrue || !strings.HasPrefix(c.Message, fmt.Sprintf("%v: ", got)):
		return fmt.Errorf("the condition is %s, %q", c.Status, c.Message)
	}
	log, err := os.ReadFile(filepath.Join(l.cluster.Dir, "fairway.log"))
	if err == nil && !strings.Contains(string(log), said) {
		err = fmt.Errorf("nobody says %q", said)
	}
	return err
}

// coverageGap is the condition of the binding that guards the install.
func (l *serveLab) coverageGap(ctx context.Context) (*metav1.Condition, error) {
	b, err := l.binding(ctx, "fairway-system", v1alpha1.ClusterBindingName)
	if err != nil {
		return nil, err
	}
	c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionCoverageGap)
	if c == nil {
		return nil, errors.New("there is no condition yet")
	}
	return c, nil
}
