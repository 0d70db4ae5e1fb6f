package gate

import (
	"context"
	"slices"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// unproven is a cluster with one Application and no proofs, in which a commit of one repository is being
// proven.
type unproven struct {
	pointers
	claimed []string
	asked   []string // repositories
}

func (u *unproven) Claimed(context.Context, change.Origin) []string { return u.claimed }

func (u *unproven) Wanted(repository, commit string) bool {
	u.asked = append(u.asked, repository)
	return repository == "apps" && commit == "c1"
}

func (*unproven) Speaking(change.ObjectID) []change.Spoken { return nil }
func (*unproven) Of(change.SourceKey) []*change.Proof      { return nil }

// TestMaking: the commit that an engine's object says it delivers is waited for, if a source here is of
// the repository that proves it; what is stamped with a commit alone names no repository to ask.
func TestMaking(t *testing.T) {
	for name, tt := range map[string]struct {
		origin  change.Origin
		claimed []string
		commit  string
		want    change.Found
		asked   []string
	}{
		"its owner delivers it":            {change.Origin{Owner: "Application shop"}, []string{"c1", "c0"}, "c1", change.Present, []string{"apps", "other"}},
		"its owner delivers another":       {change.Origin{Owner: "Application shop"}, []string{"c0"}, "c0", change.Absent, []string{"apps", "other"}},
		"its owner says nothing":           {change.Origin{Owner: "Application shop"}, nil, "", change.Absent, nil},
		"it is stamped":                    {change.Origin{Repository: "apps", Commit: "c1"}, nil, "c1", change.Present, []string{"apps"}},
		"it is stamped, and has an owner":  {change.Origin{Repository: "apps", Commit: "c1", Owner: "Application shop"}, []string{"c0"}, "c1", change.Present, []string{"apps"}},
		"of a repository that is not here": {change.Origin{Repository: "elsewhere", Commit: "c1"}, nil, "c1", change.Absent, nil},
		"it names a commit alone":          {change.Origin{Commit: "c1"}, nil, "c1", change.Absent, nil},
		"nothing":                          {change.Origin{}, []string{"c1"}, "", change.Absent, nil},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unproven{claimed: tt.claimed}
			g := New(Rooms{Engines: u, Making: u, Proofs: u})
			sources := []tier.Source{{Name: "a", Repository: "apps"}, {Name: "b", Repository: "apps", Path: "b"}, {Name: "c", Repository: "other"}}
			c := &inquiry{bindings: []tier.Binding{{Namespace: "shop", Sources: sources}}, facts: policy.Facts{Origin: tt.origin, Making: change.Absent}}
			g.making(t.Context(), c)
			if c.facts.Making != tt.want || c.facts.Origin.Commit != tt.commit || !slices.Equal(u.asked, tt.asked) {
				t.Errorf("making %s of %q, asked of %q; want %s of %q, asked of %q", c.facts.Making, c.facts.Origin.Commit, u.asked, tt.want, tt.commit, tt.asked)
			}
		})
	}
}

// TestCurrent: what binds to the newest delivery, or where nothing was delivered, waits for no other proof;
// a revert, which binds to an older commit, does.
func TestCurrent(t *testing.T) {
	at := func(fit policy.Fit, height int64, delivered *change.Delivered) policy.Candidate {
		return policy.Candidate{Fit: fit, Proof: change.Proof{Height: height}, Delivered: delivered}
	}
	for name, tt := range map[string]struct {
		candidate policy.Candidate
		want      bool
	}{
		"newer":             {at(policy.FitBound, 3, &change.Delivered{Height: 2}), true},
		"the same":          {at(policy.FitBound, 2, &change.Delivered{Height: 2}), true},
		"older":             {at(policy.FitBound, 1, &change.Delivered{Height: 2}), false},
		"nothing delivered": {at(policy.FitBound, 1, nil), true},
		"other content":     {at(policy.FitDiffers, 3, &change.Delivered{Height: 2}), false},
	} {
		c := &inquiry{facts: policy.Facts{Candidates: []policy.Candidate{tt.candidate}}}
		if got := c.current(); got != tt.want {
			t.Errorf("%s: current %t", name, got)
		}
	}
}
