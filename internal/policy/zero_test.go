package policy

import (
	"reflect"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// good is the case in which production allows.
func good(t *testing.T) story {
	t.Helper()
	ar, err := txtar.ParseFile("testdata/cases/production_two-teams-approve.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return readStory(t, ar)
}

// TestZeroFactsNeverAllow: a request about which nothing is known is refused in every operation,
// and so is one that lacks any single fact that its lane rests on.
func TestZeroFactsNeverAllow(t *testing.T) {
	for _, op := range []change.Operation{"", change.Create, change.Update, change.Delete, change.Connect} {
		f := Facts{Gathered: allStages}
		f.Request.Operation = op
		if v := Admit(f); v.Outcome == Allow || v.Admits() {
			t.Errorf("zero facts, %q: %s by %s", op, v.Outcome, v.Lane)
		}
	}
	unneeded := []string{
		"Install", "People", "Repositories", "Now", "NamespaceUID", "Ending", "Sealed", "ClusterBinding", "SealingWrite", "Shape", "SelfSigned",
		"Owner", "Reach", "Attested", "Origin", "Making", "Renders", "Grants", "Glass", "Binding", "Beside",
	}
	full := proven(production())
	for i := range reflect.TypeOf(full).NumField() {
		f := full
		name := reflect.TypeOf(f).Field(i).Name
		reflect.ValueOf(&f).Elem().Field(i).SetZero()
		allowed := Admit(f).Outcome == Allow
		if allowed != slices.Contains(unneeded, name) {
			t.Errorf("without Facts.%s: allowed is %v", name, allowed)
		}
	}
	needed := []string{"Proof", "Fit", "Standings", "Marked", "Delivered", "OfRollback"}
	for i := range reflect.TypeOf(Candidate{}).NumField() {
		c := candidate(production(), webCommit, 20)
		name := reflect.TypeOf(c).Field(i).Name
		reflect.ValueOf(&c).Elem().Field(i).SetZero()
		f := full
		f.Candidates = []Candidate{c}
		if allowed := Admit(f).Outcome == Allow; allowed == slices.Contains(needed, name) {
			t.Errorf("without Candidate.%s: allowed is %v", name, allowed)
		}
	}
}

// TestZeroTierAdmitsNothing: a tier that nobody filled in, and the one for what is unknown, admit
// only what no tier judges.
func TestZeroTierAdmitsNothing(t *testing.T) {
	ungated := []Lane{LaneExempt, LaneNoOp, LaneSelf, LaneHygiene, LaneUnsealed, LaneSubresource, LaneController}
	for _, s := range situations() {
		for _, x := range []tier.Tier{{}, tier.Strictest("gone")} {
			f := s.make(x)
			if v := Admit(f); v.Admits() && !slices.Contains(ungated, v.Lane) && x.Name == "" {
				t.Errorf("%s: the zero tier admits by %s", s.name, v.Lane)
			}
		}
	}
}

// TestUnknownNeverAllows: forgetting what was found out, one fact or all of them, never allows a
// request that was not allowed, and all that is forgotten at once leaves only the lanes that look
// at nothing.
func TestUnknownNeverAllows(t *testing.T) {
	blind := []Lane{LaneExempt, LaneNoOp, LaneOpen, LaneSelf, LaneSubresource}
	for _, s := range situations() {
		for _, x := range []tier.Tier{production(), staging()} {
			before := Admit(s.make(x)).Outcome == Allow
			n := founds(reflect.ValueOf(s.make(x)), -1)
			for i := range n {
				f := s.make(x)
				founds(reflect.ValueOf(&f).Elem(), i)
				if v := Admit(f); v.Outcome == Allow && !before {
					t.Errorf("%s: allowed by %s once something is not known", s.name, v.Lane)
				}
			}
			f := s.make(x)
			for i := range n {
				founds(reflect.ValueOf(&f).Elem(), i)
			}
			if v := Admit(f); v.Outcome == Allow && !slices.Contains(blind, v.Lane) {
				t.Errorf("%s: allowed by %s though nothing is known", s.name, v.Lane)
			}
		}
	}
}

// founds counts the three-valued facts below v, and forgets the one with the number.
func founds(v reflect.Value, number int) int {
	seen := 0
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeOf(change.CouldNotTell):
			if seen == number {
				v.SetInt(int64(change.CouldNotTell))
			}
			seen++
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeOf(tier.People{}) && v.Type().PkgPath() != "time":
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	return seen
}

// TestNeeds: gathering what is asked for, stage by stage, comes to the same verdict as gathering
// everything; every stage is asked for once; what is cheap to decide asks for nothing; and before
// the last stage nothing is allowed.
func TestNeeds(t *testing.T) {
	for _, s := range situations() {
		for _, x := range []tier.Tier{production(), staging(), sandbox()} {
			want := Admit(s.make(x))
			f := s.make(x)
			f.Gathered = 0
			for stages := 0; ; stages++ {
				need := Needs(f)
				if need == 0 {
					break
				}
				if stages > 7 || need&f.Gathered != 0 {
					t.Fatalf("%s: asks for %b again with %b gathered", s.name, need, f.Gathered)
				}
				if v := Admit(f); v.Outcome == Allow && want.Outcome != Allow {
					t.Errorf("%s: allowed by %s before everything was gathered", s.name, v.Lane)
				}
				f.Gathered |= need
			}
			got := Admit(f)
			if got.Outcome != want.Outcome || got.Lane != want.Lane {
				t.Errorf("%s: %s by %s by stages, %s by %s at once", s.name, got.Outcome, got.Lane, want.Outcome, want.Lane)
			}
			if slices.Contains([]Lane{LaneExempt, LaneNoOp, LaneOpen}, want.Lane) && f.Gathered&^NeedGlass != 0 {
				t.Errorf("%s: %s needed %b", s.name, want.Lane, f.Gathered)
			}
		}
	}
}
