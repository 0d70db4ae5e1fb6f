package tier

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// strict is a tier that asks for something in every field.
func strict() Tier {
	return Tier{
		Name: "production", Lane: Gated, Enforcement: Enforce, Branches: []string{"main"}, Declared: DeclaredRequired,
		Signatures: SignatureRule{Require: EveryCommit, From: []string{"shop"}},
		Approvals: []ApprovalRule{
			{Name: "owners", Minimum: 2, From: FromOwners, Level: LevelSigned},
			{Name: "security", Minimum: 1, From: FromTeams, Teams: []string{"security"}},
		},
		Reciprocal: true,
		Trailers:   []TrailerRule{{Key: "Ticket", Pattern: pattern(`[A-Z]+-\d+`)}},
		Rollback:   RollbackRule{Enabled: true, Window: time.Hour, Approvals: 2},
		BreakGlass: BreakGlassRule{MaxDuration: time.Hour, Approvals: 2},
		Connect:    PolicyDeny, Scale: PolicyDeny,
	}
}

// looser are tiers that ask for one thing less than strict, each with what that is.
func looser() map[string]func(*Tier) {
	return map[string]func(*Tier){
		"lane":                 func(t *Tier) { t.Lane = Open },
		"warn":                 func(t *Tier) { t.Enforcement = Warn },
		"audit":                func(t *Tier) { t.Enforcement = Audit },
		"more branches":        func(t *Tier) { t.Branches = []string{"main", "next"} },
		"any branch":           func(t *Tier) { t.Branches = nil },
		"declared":             func(t *Tier) { t.Declared = DeclaredOptional },
		"signed by more teams": func(t *Tier) { t.Signatures.From = []string{"shop", "platform"} },
		"not signed":           func(t *Tier) { t.Signatures.Require = NoSignature },
		"a rule less":          func(t *Tier) { t.Approvals = t.Approvals[:1] },
		"fewer owners":         func(t *Tier) { t.Approvals[0].Minimum = 1 },
		"on the forge":         func(t *Tier) { t.Approvals[0].Level, t.Approvals[len(t.Approvals)-1].Level = LevelForge, LevelForge },
		"anyone":               func(t *Tier) { t.Approvals[0].From = FromAnyone },
		"more teams":           func(t *Tier) { t.Approvals[len(t.Approvals)-1].Teams = []string{"security", "platform"} },
		"only for some":        func(t *Tier) { t.Approvals[len(t.Approvals)-1].When.AuthorIn = []string{"platform"} },
		"not reciprocal":       func(t *Tier) { t.Reciprocal = false },
		"no trailer":           func(t *Tier) { t.Trailers = nil },
		"tolerance":            func(t *Tier) { t.Tolerate = []Tolerance{{Path: "spec.x"}} },
		"longer window":        func(t *Tier) { t.Rollback.Window = 2 * time.Hour },
		"any window":           func(t *Tier) { t.Rollback.Window = 0 },
		"free roll-back":       func(t *Tier) { t.Rollback.Approvals = 0 },
		"longer break-glass":   func(t *Tier) { t.BreakGlass.MaxDuration = 2 * time.Hour },
		"cheaper break-glass":  func(t *Tier) { t.BreakGlass.Approvals = 1 },
		"owned connect":        func(t *Tier) { t.Connect = PolicyOwned },
		"scale":                func(t *Tier) { t.Scale = PolicyAllow },
		"a controller":         func(t *Tier) { t.Controllers = []Controller{{Name: "x", Users: []string{"x"}}} },
	}
}

func loosened(edit func(*Tier)) Tier {
	t := strict()
	t.Approvals, t.Trailers = slices.Clone(t.Approvals), slices.Clone(t.Trailers)
	edit(&t)
	return t
}

// TestStricterSeesEachField: of two tiers that differ in one field the one that asks for more is
// stricter, and the other is not.
func TestStricterSeesEachField(t *testing.T) {
	for name, edit := range looser() {
		if lax := loosened(edit); !Stricter(strict(), lax) || Stricter(lax, strict()) {
			t.Errorf("%s: stricter is %v, the other way round %v", name, Stricter(strict(), lax), Stricter(lax, strict()))
		}
	}
}

// TestStricterIsAnOrder: every tier is as strict as itself, and strictness is handed on.
func TestStricterIsAnOrder(t *testing.T) {
	tiers := []Tier{strict(), {}, {Lane: Open}, Strictest("x")}
	edits := looser()
	names := slices.Sorted(maps.Keys(edits))
	for i, a := range names {
		b := names[(i*7+3)%len(names)]
		tiers = append(tiers, loosened(edits[a]), loosened(func(t *Tier) { edits[a](t); edits[b](t) }))
	}
	for i, a := range tiers {
		if !Stricter(a, a) {
			t.Fatalf("tier %d is not as strict as itself: %+v", i, a)
		}
	}
	for i := range tiers {
		for j := range tiers {
			if !Stricter(tiers[i], tiers[j]) {
				continue
			}
			for k := range tiers {
				if Stricter(tiers[j], tiers[k]) && !Stricter(tiers[i], tiers[k]) {
					t.Fatalf("strictness is not handed on:\n%+v\n%+v\n%+v", tiers[i], tiers[j], tiers[k])
				}
			}
		}
	}
}

// TestStricterWhereNeitherIs: what cannot be compared is not called stricter, in either direction.
func TestStricterWhereNeitherIs(t *testing.T) {
	base := Tier{Signatures: SignatureRule{Require: NoSignature}}
	with := func(edit func(*Tier)) Tier { t := base; edit(&t); return t }
	for name, pair := range map[string][2]Tier{
		"every commit and head": {with(func(t *Tier) { t.Signatures.Require = EveryCommit }), with(func(t *Tier) { t.Signatures.Require = HeadOnly })},
		"any team and a listed one": {
			with(func(t *Tier) { t.Signatures = SignatureRule{Require: EveryCommit} }),
			with(func(t *Tier) { t.Signatures = SignatureRule{Require: EveryCommit, From: []string{"bots"}} }),
		},
		"owners and a team": {
			with(func(t *Tier) { t.Approvals = []ApprovalRule{{From: FromOwners}} }),
			with(func(t *Tier) { t.Approvals = []ApprovalRule{{From: FromTeams, Teams: []string{"a"}}} }),
		},
		"a rule and reciprocity": {
			with(func(t *Tier) { t.Approvals = []ApprovalRule{{From: FromOwners}} }),
			with(func(t *Tier) { t.Reciprocal = true }),
		},
	} {
		if Stricter(pair[0], pair[1]) || Stricter(pair[1], pair[0]) {
			t.Errorf("%s: one is called stricter", name)
		}
	}
}

// TestStricterNeedsARuleForEachRule: one rule of the stricter tier cannot stand for two.
func TestStricterNeedsARuleForEachRule(t *testing.T) {
	one := ApprovalRule{Name: "one", Minimum: 1, From: FromAnyone}
	a := Tier{Approvals: []ApprovalRule{{Name: "owner", Minimum: 1, From: FromOwners}, {Name: "x", Minimum: 1, From: FromTeams, Teams: []string{"a"}}}}
	if !Stricter(a, Tier{Approvals: []ApprovalRule{one, one}}) {
		t.Error("two rules for two are not enough")
	}
	if Stricter(a, Tier{Approvals: []ApprovalRule{one, one, one}}) {
		t.Error("two rules stand for three")
	}
	// The first rule of a could stand for either; only one way round do both find one.
	b := Tier{Approvals: []ApprovalRule{one, {Name: "owner", Minimum: 1, From: FromOwners}}}
	if !Stricter(a, b) {
		t.Error("the assignment was not found")
	}
}

func TestReciprocalLevel(t *testing.T) {
	for _, c := range []struct {
		rules []ApprovalRule
		want  Level
	}{
		{nil, LevelSigned},
		{[]ApprovalRule{{Level: LevelForge}}, LevelForge},
		{[]ApprovalRule{{Level: LevelForge}, {Level: LevelSigned}}, LevelSigned},
		{[]ApprovalRule{{Level: LevelForge}, {}}, LevelSigned},
	} {
		if got := (Tier{Approvals: c.rules}).ReciprocalLevel(); got != c.want {
			t.Errorf("%v: %s, want %s", c.rules, got, c.want)
		}
	}
}
