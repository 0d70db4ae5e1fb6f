package tier

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccountsOfSeveralTeams(t *testing.T) {
	forge := Forge{Kind: Gitea, Host: "git.example.com"}
	people, conflicts := NewPeople("d", []TeamSpec{
		{Name: "shop", Principals: []Principal{{Name: "ada", Accounts: []Account{forge.Account(7)}}}},
		{Name: "platform", Principals: []Principal{{Name: "ada", Accounts: []Account{forge.Account(7), {Kind: GitHub, Host: "github.com", ID: 9}}}}},
	})
	if len(conflicts) > 0 {
		t.Fatal(conflicts)
	}
	for a, want := range map[Account]string{
		forge.Account(7): "ada", {Kind: GitHub, Host: "github.com", ID: 9}: "ada",
		forge.Account(9): "", {Kind: GitHub, Host: "github.com", ID: 7}: "", {Kind: GitLab, Host: "git.example.com", ID: 7}: "",
		forge.Account(0): "",
	} {
		if got, ok := people.ByAccount(a); got != want || ok != (want != "") {
			t.Errorf("%s is %q (%v), want %q", a, got, ok, want)
		}
	}
	ada, _ := people.Get("ada")
	if len(ada.Accounts) != 2 {
		t.Errorf("ada has the accounts %v, want each once", ada.Accounts)
	}
}

// TestT42SharedAccountsAreNobodys: two names for one account would let one person approve twice; both
// count as authors of what it did.
func TestT42SharedAccountsAreNobodys(t *testing.T) {
	a := Account{Kind: Gitea, Host: "git.example.com", ID: 7}
	people, conflicts := NewPeople("d", []TeamSpec{{Name: "shop", Principals: []Principal{
		{Name: "ada", Accounts: []Account{a}}, {Name: "bob", Accounts: []Account{a}},
	}}})
	if diff := cmp.Diff([]string{"Gitea account 7 on git.example.com belongs to both ada and bob"}, conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	if n, ok := people.ByAccount(a); ok {
		t.Errorf("the account is %s's", n)
	}
	if diff := cmp.Diff([]string{"ada", "bob"}, people.AccountClaimants(a)); diff != "" {
		t.Errorf("claimants (-want +got):\n%s", diff)
	}
}
