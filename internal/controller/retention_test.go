package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// record is a BreakGlass of sara that was over an hour before it was closed, so long before the office's time.
func record(name string, uses int32, closed time.Duration, changes ...func(*v1alpha1.BreakGlass)) v1alpha1.BreakGlass {
	now := time.Unix(1e9, 0)
	at := metav1.NewTime(now.Add(-closed))
	b := v1alpha1.BreakGlass{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)},
		Spec: v1alpha1.BreakGlassSpec{User: "sara@example.com", Reason: "the sale overruns us",
			NotBefore: metav1.NewTime(at.Add(-2 * time.Hour)), NotAfter: metav1.NewTime(at.Add(-time.Hour))},
		Status: v1alpha1.BreakGlassStatus{Requester: "sara", Approvers: []string{"paula"}, Uses: uses, ClosedAt: &at},
	}
	for _, change := range changes {
		change(&b)
	}
	return b
}

// TestT54WhatIsKept: a record goes when it was closed long enough ago, and never before.
func TestT54WhatIsKept(t *testing.T) {
	const keep = 90 * 24 * time.Hour
	now := time.Unix(1e9, 0)
	open := func(b *v1alpha1.BreakGlass) { b.Status.ClosedAt = nil }
	for name, tt := range map[string]struct {
		b    v1alpha1.BreakGlass
		keep time.Duration
		goes bool
	}{
		"used, long ago":                {record("b", 1, keep), keep, true},
		"used, almost long ago":         {record("b", 1, keep-time.Second), keep, false},
		"used, for ever":                {record("b", 1, 1000*keep), 0, false},
		"used, by the list alone":       {record("b", 0, unusedKept, func(b *v1alpha1.BreakGlass) { b.Status.Used = make([]v1alpha1.BreakGlassUse, 1) }), keep, false},
		"in debt":                       {record("b", 0, unusedKept, func(b *v1alpha1.BreakGlass) { b.Status.Debt = make([]v1alpha1.ObjectReference, 1) }), keep, false},
		"used and never closed":         {record("b", 1, 1000*keep, open), keep, false},
		"unused and never closed":       {record("b", 0, 1000*keep, open), keep, false},
		"unused, a week ago":            {record("b", 0, unusedKept), keep, true},
		"unused, a week ago, for ever":  {record("b", 0, unusedKept), 0, true},
		"unused, almost a week ago":     {record("b", 0, unusedKept-time.Second), keep, false},
		"closed before its window ends": {record("b", 0, unusedKept, func(b *v1alpha1.BreakGlass) { b.Spec.NotAfter = metav1.NewTime(now.Add(-time.Hour)) }), keep, false},
		"closed in the time to come":    {record("b", 0, -unusedKept), keep, false},
	} {
		if got := retired([]v1alpha1.BreakGlass{tt.b}, tt.keep, now); (len(got) == 1) != tt.goes {
			t.Errorf("%s: %d go", name, len(got))
		}
	}
}

// TestT58UnusedOnesAreFew: whoever lets window after window go by unused has the newest records kept, and takes no
// place from those of others, or of other namespaces.
func TestT58UnusedOnesAreFew(t *testing.T) {
	var all []v1alpha1.BreakGlass
	for i := range 3 * unusedNewest {
		all = append(all, record(fmt.Sprintf("m%02d", i), 0, 2*time.Hour+time.Duration(i)*time.Minute, func(b *v1alpha1.BreakGlass) { b.Status.Requester = "mallory" }))
	}
	for i := range unusedNewest {
		all = append(all, record(fmt.Sprintf("s%02d", i), 0, 50*time.Hour), record(fmt.Sprintf("other%02d", i), 0, 60*time.Hour, func(b *v1alpha1.BreakGlass) {
			b.Namespace, b.Status.Requester = "api", "mallory"
		}))
	}
	all = append(all, record("just-now", 0, time.Minute, func(b *v1alpha1.BreakGlass) { b.Status.Requester = "mallory" }))
	var got, want []string
	for _, b := range retired(all, 0, time.Unix(1e9, 0)) {
		got = append(got, b.Name)
	}
	for i := 3*unusedNewest - 1; i >= unusedNewest-1; i-- { // just-now takes a place
		want = append(want, fmt.Sprintf("m%02d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("these go (-want +got):\n%s", diff)
	}
	for i := range 2 * unusedNewest { // closed within the hour: a use may yet be told of
		all[i] = record(fmt.Sprintf("m%02d", i), 0, time.Minute)
	}
	if got := retired(all[:2*unusedNewest], 0, time.Unix(1e9, 0)); len(got) != 0 {
		t.Errorf("%d go within the hour", len(got))
	}
}

// TestT54RetentionTells: what goes is told before it is gone, and what somebody changed meanwhile stays.
func TestT54RetentionTells(t *testing.T) {
	used, changed, kept := record("used", 2, 91*24*time.Hour), record("changed", 1, 91*24*time.Hour), record("kept", 1, time.Hour)
	o := newOffice(t, production(t), nil, &used, &changed, &kept)
	var lines []string
	n := 0
	r := &Retention{
		Reader: o.api, Writer: &meanwhile{Client: o.api, what: "changed"}, World: o.World, Events: o.events, Now: o.Now, Keep: 90 * 24 * time.Hour,
		Retired: func() { n++ }, Log: funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}),
	}
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left v1alpha1.BreakGlassList
	if err := o.api.List(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range left.Items {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	if want := []string{"changed", "kept"}; !cmp.Equal(want, names) || n != 1 {
		t.Errorf("left are %q, %d went", names, n)
	}
	if want := []string{"BreakGlassRetired the record of used, asked for by sara and used 2 times, is deleted 2184h0m0s after it was closed"}; !cmp.Equal(want, o.events.lines) {
		t.Errorf("it told %q", o.events.lines)
	}
	if len(lines) != 2 || !slices.ContainsFunc(lines, func(l string) bool {
		return strings.Contains(l, `"name"="used"`) && strings.Contains(l, `"reason"="the sale overruns us"`) && strings.Contains(l, `"approvers"=["paula"]`)
	}) {
		t.Errorf("the log says %q", lines)
	}
	r.Writer = &meanwhile{Client: o.api, fails: errors.New("forbidden")}
	r.Now = func() time.Time { return o.Now().Add(100 * 24 * time.Hour) }
	if err := r.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "deleting BreakGlass shop/") {
		t.Errorf("what cannot be deleted comes to %v", err)
	}
}

// meanwhile is somebody who changes an object just before it is deleted.
type meanwhile struct {
	client.Client
	what  string
	fails error
}

func (m *meanwhile) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	if m.fails != nil {
		return m.fails
	}
	if o.GetName() == m.what {
		var b v1alpha1.BreakGlass
		if err := m.Get(ctx, client.ObjectKeyFromObject(o), &b); err != nil {
			return err
		}
		b.Status.Uses++
		if err := m.Status().Update(ctx, &b); err != nil {
			return err
		}
	}
	return m.Client.Delete(ctx, o, opts...)
}

// TestT54NothingOwedIsHidden: many changes of one object do not hide that of another, nor does a full list of uses what
// was owed before it.
func TestT54NothingOwedIsHidden(t *testing.T) {
	at := metav1.NewTime(time.Unix(1e9, 0))
	b := record("busy", 0, 0, func(b *v1alpha1.BreakGlass) {
		b.Status.ClosedAt, b.Spec.NotAfter = nil, metav1.NewTime(at.Add(-time.Minute))
	})
	o := newOffice(t, production(t), nil, &b)
	o.Glasses(map[[2]string]Glass{{"shop", "busy"}: {Requester: "sara"}})
	uses := &Uses{Client: o.api}
	use := func(name string) {
		t.Helper()
		uses.Used("shop", "busy", Use{At: at.Time, User: "sara", Operation: "UPDATE", Object: id("ConfigMap", name)})
		if err := uses.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	owed := func() []string {
		t.Helper()
		o.write(t)
		if err := o.api.Get(t.Context(), client.ObjectKeyFromObject(&b), &b); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, object := range b.Status.Debt {
			names = append(names, object.Name)
		}
		return names
	}
	use("secret")
	for range 2 * usedShown {
		use("noise")
	}
	if got := owed(); !slices.Contains(got, "secret") || b.Status.Uses != 2*usedShown+1 || len(b.Status.Used) != usedShown {
		t.Errorf("after much noise %q is owed, of %d uses", got, b.Status.Uses)
	}
	for i := range usedShown {
		use(fmt.Sprint(i))
	}
	if got := owed(); !slices.Contains(got, "secret") || len(got) != debtShown {
		t.Errorf("after many others %q is owed", got)
	}
	due := o.Now
	o.Now = func() time.Time { return due().Add(100 * time.Hour) }
	o.Swept(tier.Binding{Namespace: "shop", Name: "tier"}, Sweep{At: at.Add(time.Second), Drifted: []change.ObjectID{id("ConfigMap", "secret")}, read: map[groupKind]bool{{"", "ConfigMap"}: true}})
	if got := owed(); !cmp.Equal([]string{"secret"}, got) || b.Status.ClosedAt != nil {
		t.Errorf("after a sweep %q is owed, closed at %v", got, b.Status.ClosedAt)
	}
	o.Swept(tier.Binding{Namespace: "shop", Name: "tier"}, Sweep{At: at.Add(time.Minute), read: map[groupKind]bool{{"", "ConfigMap"}: true}})
	if got := owed(); len(got) != 0 || b.Status.ClosedAt == nil {
		t.Errorf("after a sweep that finds all in order %q is owed, closed at %v", got, b.Status.ClosedAt)
	}
}

// TestT54Overdue: what is owed after the time for the review is told so.
func TestT54Overdue(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := record("b", 1, 0, func(b *v1alpha1.BreakGlass) {
		b.Spec.NotAfter = metav1.NewTime(now.Add(-time.Hour))
		b.Status.Debt = []v1alpha1.ObjectReference{{Kind: "ConfigMap", Name: "x"}}
	})
	for within, want := range map[time.Duration]string{
		0: v1alpha1.ReasonDebt, time.Hour + time.Second: v1alpha1.ReasonDebt, time.Hour: v1alpha1.ReasonOverdue, time.Minute: v1alpha1.ReasonOverdue,
	} {
		if settled := glassFindings(&b, Glass{}, now, within)[3]; settled.reason != want || settled.is {
			t.Errorf("within %s: %+v", within, settled)
		}
	}
}

// TestT54LateUse: a use that is recorded after the BreakGlass was closed is looked at like any other.
func TestT54LateUse(t *testing.T) {
	b := record("late", 0, time.Minute)
	o := newOffice(t, production(t), nil, &b)
	uses := &Uses{Client: o.api}
	uses.Used("shop", "late", Use{At: b.Spec.NotAfter.Add(-time.Second), User: "sara", Operation: "CREATE", Object: id("ConfigMap", "x")})
	if err := uses.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Glasses(map[[2]string]Glass{{"shop", "late"}: {Requester: "sara"}})
	o.write(t)
	if err := o.api.Get(t.Context(), client.ObjectKeyFromObject(&b), &b); err != nil {
		t.Fatal(err)
	}
	if b.Status.ClosedAt != nil || len(b.Status.Debt) != 1 {
		t.Errorf("closed %v, in debt %v", b.Status.ClosedAt, b.Status.Debt)
	}
}
