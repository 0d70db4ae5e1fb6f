package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// policiesAreTold: T-06, what guards Fairway within the API server is looked after by the prover. Of the
// shipped policies the lab has one, which is in nobody's way.
func policiesAreTold(l *serveLab) {
	const name = "fairway-mutation"
	ctx := l.t.Context()
	var shipped []unstructured.Unstructured
	for _, o := range manifests(l.t, "../config/policies") {
		if o.GetName() == name {
			shipped = append(shipped, o)
		}
	}
	if len(shipped) != 2 {
		l.t.Fatalf("%s is %d objects", name, len(shipped))
	}
	install := func() {
		for i := range shipped {
			if _, err := clientFor(l.as("admin"), shipped[i]).Create(ctx, &shipped[i], strict); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	l.until("the others are missed", func(ctx context.Context) error { return l.gaps(ctx, 8) })
	install()
	l.until("it is there", func(ctx context.Context) error { return l.gaps(ctx, 7) })
	bindings := l.typed.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	policies := l.typed.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	for _, step := range []struct {
		what   string
		gaps   float64
		tamper func() error
	}{
		{"a policy that asks for nothing", 8, func() error {
			_, err := policies.Patch(ctx, name, types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/validations/0/expression","value":"true"}]`), metav1.PatchOptions{})
			return err
		}},
		{"a binding that warns", 8, func() error {
			_, err := bindings.Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"validationActions":["Warn"]}}`), metav1.PatchOptions{})
			return err
		}},
		{"a policy that is gone", 8, func() error { return policies.Delete(ctx, name, metav1.DeleteOptions{}) }},
	} {
		before, err := l.metric(ctx, "fairway_policy_changes_total", "")
		if err != nil {
			l.t.Fatal(err)
		}
		began := time.Now()
		if err := step.tamper(); err != nil {
			l.t.Fatalf("%s: %v", step.what, err)
		}
		l.until(step.what+" is told", func(ctx context.Context) error {
			now, err := l.metric(ctx, "fairway_policy_changes_total", "")
			if err != nil || now != before+1 {
				return fmt.Errorf("%v changes are told, %w", now-before, err)
			}
			return l.gaps(ctx, step.gaps)
		})
		l.t.Logf("%s was told after %s", step.what, time.Since(began).Round(time.Second))
	}
	l.until("Events tell of it", func(ctx context.Context) error {
		list, err := l.typed.EventsV1().Events("fairway-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var reasons []string
		for _, e := range list.Items {
			reasons = append(reasons, e.Reason)
		}
		if !slices.Contains(reasons, "PolicyChanged") {
			return fmt.Errorf("the Events are %q", reasons)
		}
		return nil
	})
}

// gaps says how many gaps the prover tells of, where they are not as many.
func (l *serveLab) gaps(ctx context.Context, want float64) error {
	got, err := l.metric(ctx, "fairway_coverage_gaps", "")
	if err != nil || got != want {
		return fmt.Errorf("%v gaps, want %v, %w", got, want, err)
	}
	return nil
}
