package controller

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// reporting is a client of a cluster that has the kind, and a count of what was written.
func reporting(t *testing.T) (client.Client, *int) {
	t.Helper()
	scheme, writes := runtime.NewScheme(), 0
	if err := openreports.Install(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			writes++
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			writes++
			return c.Update(ctx, o, opts...)
		},
	}).Build(), &writes
}

func TestReportsSayWhatTheAuditFound(t *testing.T) {
	c, writes := reporting(t)
	reports := Reports{Client: c, Namespace: "fairway-system"}
	shop, pay := tier.Binding{Namespace: "shop", Name: "tier", Tier: "production"}, tier.Binding{Namespace: "pay", Name: "tier", Tier: "production"}
	web := change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
	sweep := Sweep{
		At: time.Unix(1000, 0), Bound: []change.ObjectID{{Kind: "ConfigMap", Namespace: "shop", Name: "a"}},
		Drifted: []change.ObjectID{web}, Beside: []Beside{{Object: web.String(), Fields: []string{"spec.replicas"}}},
		Unread: []string{"v1/Secret: forbidden"},
	}
	for i := range reportLimit + 7 {
		sweep.Inherited = append(sweep.Inherited, change.ObjectID{Kind: "ConfigMap", Namespace: "shop", Name: strings.Repeat("x", i+1)})
	}
	for range 2 { // the second finds nothing to write, though it is later
		if err := reports.Write(t.Context(), shop, sweep); err != nil {
			t.Fatal(err)
		}
		sweep.At = sweep.At.Add(time.Hour)
	}
	if *writes != 1 {
		t.Errorf("%d writes, want 1", *writes)
	}
	var got openreports.Report
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "fairway-system", Name: "audit-tier-shop"}, &got); err != nil {
		t.Fatal(err)
	}
	want := openreports.ReportSummary{Pass: 1, Fail: 1, Warn: reportLimit + 7, Error: 1}
	if diff := cmp.Diff(want, got.Summary); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	if len(got.Results) != reportLimit {
		t.Errorf("%d results, want %d", len(got.Results), reportLimit)
	}
	first := got.Results[0]
	if first.Result != "fail" || first.Subjects[0].Name != "web" || !strings.Contains(first.Description, "spec.replicas") {
		t.Errorf("the first result is %+v, want the drifted object with its fields", first)
	}
	if err := reports.Write(t.Context(), pay, Sweep{}); err != nil {
		t.Fatal(err)
	}
	if err := reports.Prune(t.Context(), []tier.Binding{pay}); err != nil {
		t.Fatal(err)
	}
	var left openreports.ReportList
	if err := c.List(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	if len(left.Items) != 1 || left.Items[0].Name != "audit-tier-pay" {
		t.Errorf("left are %d reports, want that of the binding that is left", len(left.Items))
	}
}

// TestReportsAreOptional: a cluster without the kind is no error.
func TestReportsAreOptional(t *testing.T) {
	missing := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "openreports.io", Kind: "Report"}}
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return missing
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return missing },
	}).Build()
	reports := Reports{Client: c, Namespace: "fairway-system"}
	if err := reports.Write(t.Context(), tier.Binding{Namespace: "shop", Name: "tier"}, Sweep{}); err != nil {
		t.Error(err)
	}
	if err := reports.Prune(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestReportsOverwriteForgery: what somebody else wrote into a Report does not stay.
func TestReportsOverwriteForgery(t *testing.T) {
	c, _ := reporting(t)
	reports := Reports{Client: c, Namespace: "fairway-system"}
	b := tier.Binding{Namespace: "shop", Name: "tier", Tier: "production"}
	sweep := Sweep{Drifted: []change.ObjectID{{Kind: "ConfigMap", Namespace: "shop", Name: "a"}}}
	if err := reports.Write(t.Context(), b, sweep); err != nil {
		t.Fatal(err)
	}
	var forged openreports.Report
	key := client.ObjectKey{Namespace: "fairway-system", Name: "audit-tier-shop"}
	if err := c.Get(t.Context(), key, &forged); err != nil {
		t.Fatal(err)
	}
	forged.Results, forged.Summary = nil, openreports.ReportSummary{Pass: 1}
	if err := c.Update(t.Context(), &forged); err != nil {
		t.Fatal(err)
	}
	if err := reports.Write(t.Context(), b, sweep); err != nil {
		t.Fatal(err)
	}
	var got openreports.Report
	if err := c.Get(t.Context(), key, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(got.Results, func(r openreports.ReportResult) bool { return r.Result == "fail" }) {
		t.Errorf("the report says %+v", got.Summary)
	}
}
