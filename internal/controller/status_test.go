package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// said are the Events that were recorded.
type said struct{ lines []string }

func (s *said) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	s.lines = append(s.lines, reason+" "+fmt.Sprintf(note, args...))
}

// proofsOf are the proofs of every source.
type proofsOf []change.Proof

func (p proofsOf) Known(change.SourceKey) []change.Proof { return p }

// office is a Status over an API server in memory.
type office struct {
	*Status
	api    client.Client
	events *said
	writes int
	fail   error
}

func newOffice(t *testing.T, w *tier.World, proofs proofsOf, objects ...client.Object) *office {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	o := &office{events: &said{}}
	o.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
				if o.fail != nil {
					return o.fail
				}
				o.writes++
				return c.SubResource(sub).Update(ctx, obj, opts...)
			},
		}).Build()
	o.Status = &Status{
		Reader: o.api, Writer: o.api, World: func() *tier.World { return w }, Proofs: proofs, Events: o.events,
		Now: func() time.Time { return time.Unix(1e9, 0) },
	}
	return o
}

func (o *office) write(t *testing.T) {
	t.Helper()
	if err := o.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func people(t *testing.T) tier.People {
	t.Helper()
	var teams []tier.TeamSpec
	for team, members := range map[string][]string{"shop": {"sara", "sam"}, "platform": {"paula", "pete"}} {
		spec := tier.TeamSpec{Name: team}
		for _, m := range members {
			spec.Principals = append(spec.Principals, tier.Principal{Name: m, Keys: []tier.Key{{Format: tier.SSH, Public: "ssh-ed25519 " + m}}})
		}
		teams = append(teams, spec)
	}
	p, conflicts := tier.NewPeople("d", teams)
	if conflicts != nil {
		t.Fatal(conflicts)
	}
	return p
}

// production is a world with one gated namespace.
func production(t *testing.T) *tier.World {
	t.Helper()
	return &tier.World{
		Tiers: map[string]tier.Tier{"production": {
			Name: "production", Digest: "t", Lane: tier.Gated,
			Approvals: []tier.ApprovalRule{{Name: "owners", Minimum: 1, From: tier.FromOwners}},
		}},
		Bindings: map[string]tier.Binding{"shop": {
			Namespace: "shop", Name: "tier", Digest: "b", Tier: "production", Owners: []string{"shop"},
			Sources: []tier.Source{{Name: "a", Repository: "apps", Branch: "main", Path: "a"}, {Name: "b", Repository: "apps", Branch: "main", Path: "b"}},
		}},
		Namespaces:   map[string]tier.Namespace{"shop": {Name: "shop", UID: "1"}, "fairway-system": {Name: "fairway-system"}},
		Repositories: map[string]tier.Repository{"apps": {Name: "apps"}},
		People:       people(t),
		Install:      tier.Install{Namespace: "fairway-system"},
	}
}

func theBinding() *v1alpha1.TierBinding {
	return &v1alpha1.TierBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "tier", Generation: 3}}
}

func (o *office) read(t *testing.T) v1alpha1.TierBindingStatus {
	t.Helper()
	var b v1alpha1.TierBinding
	if err := o.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "tier"}, &b); err != nil {
		t.Fatal(err)
	}
	return b.Status
}

// TestAStatusIsWrittenOnce, told once, and comes back where somebody changed it.
func TestAStatusIsWrittenOnce(t *testing.T) {
	pending := change.Proof{Commit: "cccc", Height: 2, Judgements: []change.Judgement{
		{Tier: "production", Admissible: change.Absent, Pending: true, Missing: []string{"[FW103] ask sam"}},
	}}
	o := newOffice(t, production(t), proofsOf{pending}, theBinding())
	o.write(t)
	want := []v1alpha1.SourceStatus{
		{Name: "a", Commit: "cccc", Verdict: v1alpha1.VerdictPending, Message: "[FW103] ask sam"},
		{Name: "b", Commit: "cccc", Verdict: v1alpha1.VerdictPending, Message: "[FW103] ask sam"},
	}
	got := o.read(t)
	if d := cmp.Diff(want, got.Sources); d != "" {
		t.Errorf("sources (-want +got):\n%s", d)
	}
	if got.ObservedGeneration != 3 || got.Digest != "b" {
		t.Errorf("the status is %+v", got)
	}
	o.write(t)
	if o.writes != 1 || len(o.events.lines) != 2 || !strings.Contains(o.events.lines[0], "ask sam") {
		t.Errorf("%d writes, Events %q", o.writes, o.events.lines)
	}
	b := theBinding()
	if err := o.api.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
		t.Fatal(err)
	}
	b.Status.Sources = nil
	if err := o.api.Status().Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	o.write(t)
	if d := cmp.Diff(want, o.read(t).Sources); d != "" {
		t.Errorf("sources after somebody changed them (-want +got):\n%s", d)
	}
}

func TestBindingReady(t *testing.T) {
	both := proofsOf{{Commit: "a", Objects: []change.ProvenObject{{ID: id("ConfigMap", "x")}}, Judgements: []change.Judgement{{Tier: "production", Admissible: change.Present}}}}
	for name, test := range map[string]struct {
		change func(w *tier.World)
		proofs proofsOf
		is     metav1.ConditionStatus
		reason string
		says   string
	}{
		"in force":        {func(*tier.World) {}, nil, metav1.ConditionTrue, v1alpha1.ReasonCompiled, ""},
		"no tier":         {func(w *tier.World) { w.Tiers = nil }, nil, metav1.ConditionFalse, v1alpha1.ReasonNotFound, `tier "production"`},
		"no repository":   {func(w *tier.World) { w.Repositories = nil }, nil, metav1.ConditionFalse, v1alpha1.ReasonNotFound, `repository "apps"`},
		"binds nothing":   {func(w *tier.World) { w.Bindings = nil }, nil, metav1.ConditionFalse, v1alpha1.ReasonInvalid, ""},
		"rendered twice":  {func(*tier.World) {}, both, metav1.ConditionFalse, v1alpha1.ReasonObjectConflict, "ConfigMap shop/x"},
		"nobody can meet": {func(w *tier.World) { w.Tiers["production"] = tier.Strictest("production") }, nil, metav1.ConditionFalse, v1alpha1.ReasonUnsatisfiable, "anybody"},
		"no owners": {func(w *tier.World) {
			b := w.Bindings["shop"]
			b.Owners = []string{"ghosts"}
			w.Bindings["shop"] = b
		}, nil, metav1.ConditionFalse, v1alpha1.ReasonNotFound, `team "ghosts"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := production(t)
			test.change(w)
			o := newOffice(t, w, test.proofs, theBinding())
			o.write(t)
			c := meta.FindStatusCondition(o.read(t).Conditions, v1alpha1.ConditionReady)
			if c == nil || c.Status != test.is || c.Reason != test.reason || !strings.Contains(c.Message, test.says) || c.ObservedGeneration != 3 {
				t.Errorf("the condition is %+v", c)
			}
		})
	}
}

func TestUnsealedSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		w      tier.World
		is     bool
		reason string
	}{
		"sealed":   {tier.World{Cluster: &tier.Binding{}}, false, v1alpha1.ReasonSealed},
		"not yet":  {tier.World{}, true, v1alpha1.ReasonNoClusterBinding},
		"ruling 9": {tier.World{Install: tier.Install{Sealed: true}}, true, v1alpha1.ReasonClusterBindingGone},
	} {
		if got := unsealed(&test.w); got.is != test.is || got.reason != test.reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTierAndTeamSayWhatIsWrong(t *testing.T) {
	w := production(t)
	w.Problems = []string{`teams: e-mail address a@b belongs to both sara and eve`, `tier "broken": pattern: no`}
	if got := tierReady("broken", w); got.is || !strings.Contains(got.message, "pattern: no") {
		t.Errorf("%+v", got)
	}
	if got := tierReady("production", w); !got.is {
		t.Errorf("%+v", got)
	}
	team := func(names ...string) *v1alpha1.Team {
		var out v1alpha1.Team
		for _, n := range names {
			out.Spec.Principals = append(out.Spec.Principals, v1alpha1.Principal{Name: n})
		}
		return &out
	}
	if got := teamReady(team("sara", "sam"), w); got.is || got.reason != v1alpha1.ReasonIdentityConflict {
		t.Errorf("%+v", got)
	}
	if got := teamReady(team("sam"), w); !got.is {
		t.Errorf("%+v", got)
	}
}

// TestRuling22ARewoundRefStaysPinned: the alarm stands until the ref is back or the spec is changed.
func TestRuling22ARewoundRefStaysPinned(t *testing.T) {
	o := newOffice(t, production(t), nil, &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "apps", Generation: 1}})
	state := func(f Fetch) v1alpha1.RepositoryStatus {
		t.Helper()
		o.Fetched("apps", f)
		o.write(t)
		var r v1alpha1.Repository
		if err := o.api.Get(t.Context(), client.ObjectKey{Name: "apps"}, &r); err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	state(Fetch{Heads: map[string]string{"main": "a"}, Refs: map[string]string{"refs/fairway/approvals/sam": "b"}})
	got := state(Fetch{Heads: map[string]string{"main": "a"}, Refs: map[string]string{"refs/fairway/approvals/sam": "c"}, Rewound: []string{"sam's ref"}})
	if !meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionRewound) || got.ApprovalRefs[0].Head != "b" {
		t.Errorf("%+v", got)
	}
	got = state(Fetch{Problem: "no route", Reason: v1alpha1.ReasonFetchFailed})
	if !meta.IsStatusConditionFalse(got.Conditions, v1alpha1.ConditionFetched) || got.Heads[0].Commit != "a" {
		t.Errorf("%+v", got)
	}
}

// TestAForgeThatCannotBeAskedIsACondition: it says why, ends when the forge answers, outlasts a look that
// did not come so far, and is gone when no forge counts any more.
func TestAForgeThatCannotBeAskedIsACondition(t *testing.T) {
	o := newOffice(t, production(t), nil, &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "apps", Generation: 1}})
	for _, step := range []struct {
		fetch Fetch
		want  string
	}{
		{Fetch{}, "none"},
		{Fetch{Forge: true, Unasked: "git.example.com: refused"}, "False ForgeUnasked git.example.com: refused"},
		{Fetch{Problem: "no route", Reason: v1alpha1.ReasonFetchFailed}, "False ForgeUnasked git.example.com: refused"},
		{Fetch{Forge: true}, "True ForgeAnswered the forge answered"},
		{Fetch{}, "none"},
	} {
		o.Fetched("apps", step.fetch)
		o.write(t)
		var r v1alpha1.Repository
		if err := o.api.Get(t.Context(), client.ObjectKey{Name: "apps"}, &r); err != nil {
			t.Fatal(err)
		}
		got := "none"
		if c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionForgeAsked); c != nil {
			got = strings.Join([]string{string(c.Status), c.Reason, c.Message}, " ")
		}
		if got != step.want {
			t.Errorf("%+v: got %q, want %q", step.fetch, got, step.want)
		}
	}
}

// TestRuling05UsesAreRecordedLater, each once, whatever happens to the write.
func TestRuling05UsesAreRecordedLater(t *testing.T) {
	now := time.Unix(1e9, 0)
	o := newOffice(t, production(t), nil, &v1alpha1.BreakGlass{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "incident"},
		Spec:       v1alpha1.BreakGlassSpec{User: "sara", NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Minute))},
	})
	o.Glasses(map[[2]string]Glass{{"shop", "incident"}: {Requester: "sara", Approvers: []string{"paula"}}})
	uses := &Uses{Client: o.api}
	for i := range 70 {
		uses.Used("shop", "incident", Use{At: now, User: "sara", Operation: change.Create, Object: id("ConfigMap", fmt.Sprint(i))})
	}
	o.fail = apierrors.NewConflict(schema.GroupResource{}, "incident", errors.New("busy"))
	if err := uses.Write(t.Context()); !apierrors.IsConflict(err) && !strings.Contains(fmt.Sprint(err), "busy") {
		t.Errorf("the write came to %v", err)
	}
	o.fail = nil
	for range 2 { // the second time nothing waits any more
		if err := uses.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.write(t)
	read := func() v1alpha1.BreakGlassStatus {
		t.Helper()
		var b v1alpha1.BreakGlass
		if err := o.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "incident"}, &b); err != nil {
			t.Fatal(err)
		}
		return b.Status
	}
	got := read()
	if got.Uses != 70 || len(got.Used) != usedShown || got.Used[0].Object.Name != "69" || len(got.Debt) != debtShown || got.ClosedAt != nil {
		t.Errorf("%d uses, %d shown, newest %v, %d in debt", got.Uses, len(got.Used), got.Used[0], len(got.Debt))
	}
	if !meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionActive) || !meta.IsStatusConditionFalse(got.Conditions, v1alpha1.ConditionSettled) {
		t.Errorf("the conditions are %+v", got.Conditions)
	}
	before := &v1alpha1.BreakGlass{}
	after := &v1alpha1.BreakGlass{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "incident"}, Status: got}
	before.Status.Uses = 69
	o.Glassed(before, after)
	if want := []string{"BreakGlassUsed incident let sara through: CREATE ConfigMap 69"}; !cmp.Equal(want, o.events.lines) {
		t.Errorf("it told %q", o.events.lines)
	}
	// It is over, and a sweep after it finds nothing that differs: it is closed.
	o.Now = func() time.Time { return now.Add(time.Hour) }
	o.Swept(tier.Binding{Namespace: "shop", Name: "tier"}, Sweep{At: now.Add(-time.Second), read: map[groupKind]bool{{"", "ConfigMap"}: true}})
	o.write(t)
	if got = read(); got.ClosedAt != nil {
		t.Error("closed by a sweep from before")
	}
	o.Swept(tier.Binding{Namespace: "shop", Name: "tier"}, Sweep{At: now.Add(time.Minute), read: map[groupKind]bool{{"", "ConfigMap"}: true}})
	o.write(t)
	if got = read(); got.ClosedAt == nil || len(got.Debt) != 0 || !meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionExpired) {
		t.Errorf("%+v", got)
	}
}

func TestAGlassSaysWhatItLacks(t *testing.T) {
	now := time.Unix(1e9, 0)
	spec := func(from, until time.Duration) *v1alpha1.BreakGlass {
		return &v1alpha1.BreakGlass{Spec: v1alpha1.BreakGlassSpec{NotBefore: metav1.NewTime(now.Add(from)), NotAfter: metav1.NewTime(now.Add(until))}}
	}
	for name, test := range map[string]struct {
		b      *v1alpha1.BreakGlass
		g      Glass
		reason string
	}{
		"open":        {spec(-1, time.Hour), Glass{}, v1alpha1.ReasonInWindow},
		"not yet":     {spec(time.Minute, time.Hour), Glass{}, v1alpha1.ReasonNotYet},
		"over":        {spec(-time.Hour, 0), Glass{}, v1alpha1.ReasonWindowOver},
		"unapproved":  {spec(-1, time.Hour), Glass{Refusals: []string{"one more"}, Waits: true}, v1alpha1.ReasonNeedsApproval},
		"beyond":      {spec(-1, time.Hour), Glass{Beyond: "sara has as many as are looked at"}, v1alpha1.ReasonTooMany},
		"not genuine": {spec(-1, time.Hour), Glass{Refusals: []string{"no"}}, v1alpha1.ReasonBadStatement},
	} {
		active := glassFindings(test.b, test.g, now, 0)[1]
		if active.reason != test.reason || active.is != (name == "open") {
			t.Errorf("%s: %+v", name, active)
		}
	}
}
