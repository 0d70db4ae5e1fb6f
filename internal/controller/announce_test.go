package controller

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// TestAConditionIsToldOnce: what somebody should act on is an Event when it begins and when it ends, and
// not at every look in between.
func TestAConditionIsToldOnce(t *testing.T) {
	w := production(t)
	o := newOffice(t, w, nil, &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "apps"}}, &v1alpha1.Team{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Spec: v1alpha1.TeamSpec{Principals: []v1alpha1.Principal{{Name: "sara"}}},
	})
	for _, step := range []struct {
		fetch Fetch
		keys  []string
		want  []string
	}{
		{fetch: Fetch{}},
		{fetch: Fetch{Reason: "FetchFailed", Problem: "cannot connect, try 1"}, want: []string{"FetchFailed cannot connect, try 1"}},
		{fetch: Fetch{Reason: "FetchFailed", Problem: "cannot connect, try 2"}},
		{fetch: Fetch{Reason: "OverLimit", Problem: "too large"}, want: []string{"OverLimit too large"}},
		{fetch: Fetch{}, want: []string{"Fetched the mirror is as the remote showed it"}},
		{fetch: Fetch{Rewound: []string{"main no longer holds 1"}}, want: []string{"HistoryRewritten main no longer holds 1"}},
		{fetch: Fetch{Rewound: []string{"main no longer holds 1"}}},
		{fetch: Fetch{}, want: []string{"Fetched every ref only grew"}},
		{fetch: Fetch{Forge: true}},
		{fetch: Fetch{Forge: true, Unasked: "from port 1: refused"}, want: []string{"ForgeUnasked from port 1: refused"}},
		{fetch: Fetch{Forge: true, Unasked: "from port 2: refused"}},
		{fetch: Fetch{Forge: true, Problem: "cannot connect", Reason: "FetchFailed"}, want: []string{"FetchFailed cannot connect"}},
		{fetch: Fetch{Forge: true}, want: []string{"Fetched the mirror is as the remote showed it", "ForgeAnswered the forge answered"}},
		{fetch: Fetch{Forge: true, Unasked: "refused"}, want: []string{"ForgeUnasked refused"}},
		{fetch: Fetch{}},
		{
			fetch: Fetch{}, keys: []string{KeyProblem + "key 1 of sara: no key", KeyProblem + "key 1 of sam: no key"},
			want: []string{"Invalid these count for nobody: key 1 of sara: no key"},
		},
		{fetch: Fetch{}, want: []string{"Compiled all identities count"}},
	} {
		o.events.lines, w.Problems = nil, slices.Clone(step.keys)
		o.Fetched("apps", step.fetch)
		o.write(t)
		if d := cmp.Diff(step.want, o.events.lines); d != "" {
			t.Errorf("%+v (-want +got):\n%s", step.fetch, d)
		}
	}
}

// TestARepositoryThatWasNeverReadIsTold: there is no commit to name then, and an Event all the same.
func TestARepositoryThatWasNeverReadIsTold(t *testing.T) {
	was := &v1alpha1.TierBinding{}
	now := was.DeepCopy()
	now.Status.Sources = []v1alpha1.SourceStatus{{Name: "a", Verdict: v1alpha1.VerdictUnknown, Message: "cannot connect"}}
	o := newOffice(t, production(t), nil)
	o.announce(was, now)
	o.announce(now, now.DeepCopy())
	if d := cmp.Diff([]string{"JudgedUnknown source a at no commit: Unknown\ncannot connect"}, o.events.lines); d != "" {
		t.Errorf("Events (-want +got):\n%s", d)
	}
}
