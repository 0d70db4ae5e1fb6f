package tier

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func key(s string) Key { return Key{Format: SSH, Public: "ssh-ed25519 " + s + " comment"} }

func TestPeopleOfSeveralTeams(t *testing.T) {
	people, conflicts := NewPeople("d", []TeamSpec{
		{Name: "shop", Principals: []Principal{{Name: "alice", Emails: []string{"Alice@Example.com"}, Users: []string{"alice"}, Keys: []Key{key("A")}}}},
		{Name: "platform", Principals: []Principal{
			{Name: "alice", Emails: []string{"a@example.com"}},
			{Name: "renovate", Robot: true, Users: []string{"bot"}},
		}},
	})
	if len(conflicts) > 0 {
		t.Fatal(conflicts)
	}
	alice, ok := people.Get("alice")
	if !ok {
		t.Fatal("alice is not there")
	}
	want := Principal{Name: "alice", Emails: []string{"Alice@Example.com", "a@example.com"}, Users: []string{"alice"}, Keys: []Key{key("A")}, Teams: []string{"platform", "shop"}}
	if diff := cmp.Diff(want, alice); diff != "" {
		t.Errorf("alice (-want +got):\n%s", diff)
	}
	for _, address := range []string{"alice@example.com", "ALICE@EXAMPLE.COM", "a@example.com"} {
		if n, ok := people.ByEmail(address); !ok || n != "alice" {
			t.Errorf("%s is %q", address, n)
		}
	}
	if n, ok := people.ByUser("bot"); !ok || n != "renovate" {
		t.Errorf("user bot is %q", n)
	}
	if diff := cmp.Diff([]string{"alice"}, people.Members("platform")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if !people.InTeam("alice", []string{"none", "shop"}) || people.InTeam("alice", nil) || people.InTeam("nobody", []string{"shop"}) {
		t.Error("somebody is in the wrong team")
	}
}

// TestT42SharedIdentitiesAreNobodys: what two names claim belongs to neither, and both claim it.
func TestT42SharedIdentitiesAreNobodys(t *testing.T) {
	a := Principal{Name: "alice", Emails: []string{"x@example.com"}, Users: []string{"u"}, Keys: []Key{key("K"), key("A")}}
	b := Principal{Name: "bob", Emails: []string{"X@example.com"}, Users: []string{"u"}, Keys: []Key{{Format: SSH, Public: "ssh-ed25519 K another comment"}}}
	c := Principal{Name: "carol", Emails: []string{"x@EXAMPLE.com"}}
	people, conflicts := NewPeople("d", []TeamSpec{{Name: "t", Principals: []Principal{a, b, c}}})
	if len(conflicts) != 4 || !strings.Contains(strings.Join(conflicts, "\n"), "a key belongs to both alice and bob") {
		t.Errorf("conflicts: %q", conflicts)
	}
	if n, ok := people.ByEmail("x@example.com"); ok {
		t.Errorf("the address is %s's", n)
	}
	if n, ok := people.ByUser("u"); ok {
		t.Errorf("the user is %s's", n)
	}
	for name, want := range map[string]int{"alice": 1, "bob": 0} {
		if p, _ := people.Get(name); len(p.Keys) != want {
			t.Errorf("%s has %d keys, want %d", name, len(p.Keys), want)
		}
	}
	if diff := cmp.Diff([]string{"alice", "bob", "carol"}, people.Claimants("X@Example.com")); diff != "" {
		t.Errorf("claimants (-want +got):\n%s", diff)
	}
}

// TestEmptyIdentitiesAreNobodys: an empty name, address, user or key matches nobody.
func TestEmptyIdentitiesAreNobodys(t *testing.T) {
	people, conflicts := NewPeople("d", []TeamSpec{{Name: "t", Principals: []Principal{
		{Name: "alice", Emails: []string{""}, Users: []string{""}, Keys: []Key{{Format: SSH}}},
		{Name: ""}, {Name: "<bob@example.com>"},
	}}, {Name: "", Principals: []Principal{{Name: "carol"}}}})
	if len(conflicts) != 3 {
		t.Errorf("conflicts: %q", conflicts)
	}
	if diff := cmp.Diff([]string{"alice"}, people.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if _, ok := people.ByEmail(""); ok {
		t.Error("the empty address is somebody's")
	}
	if _, ok := people.ByUser(""); ok {
		t.Error("the empty user is somebody's")
	}
	if p, _ := people.Get("alice"); len(p.Keys) != 0 || len(p.Emails) != 0 || len(p.Users) != 0 {
		t.Errorf("alice has empty identities: %+v", p)
	}
}

// TestT41NarrowerWindowHolds: a key that two teams list is valid only where both say so, and stays
// revoked where one revoked it.
func TestT41NarrowerWindowHolds(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	one, two := key("A"), key("A")
	one.NotBefore, one.NotAfter = day(1), day(20)
	two.NotBefore, two.NotAfter, two.RevokedAt = day(5), day(30), day(15)
	for _, order := range [][]Key{{one, two}, {two, one}} {
		people, _ := NewPeople("d", []TeamSpec{
			{Name: "a", Principals: []Principal{{Name: "alice", Keys: order[:1]}}},
			{Name: "b", Principals: []Principal{{Name: "alice", Keys: order[1:]}}},
		})
		want := key("A")
		want.NotBefore, want.NotAfter, want.RevokedAt = day(5), day(20), day(15)
		alice, _ := people.Get("alice")
		if diff := cmp.Diff([]Key{want}, alice.Keys); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
}

// TestPeopleAreNotTheSpecs: what is read from people, or changed in the specs afterwards, leaves
// the people as they are.
func TestPeopleAreNotTheSpecs(t *testing.T) {
	spec := TeamSpec{Name: "t", Principals: []Principal{{Name: "alice", Keys: []Key{key("A")}, Emails: []string{"a@example.com"}}}}
	people, _ := NewPeople("d", []TeamSpec{spec})
	spec.Principals[0].Keys[0] = key("B")
	spec.Principals[0].Emails[0] = "b@example.com"
	alice, _ := people.Get("alice")
	if diff := cmp.Diff([]Key{key("A")}, alice.Keys); diff != "" {
		t.Errorf("keys changed with the spec:\n%s", diff)
	}
	if _, ok := people.ByEmail("b@example.com"); ok {
		t.Error("addresses changed with the spec")
	}
}
