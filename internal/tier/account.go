package tier

import (
	"slices"
	"strconv"
)

// ForgeKind is the software that a forge runs.
type ForgeKind string

// The kinds of forges.
const (
	GitHub ForgeKind = "GitHub"
	GitLab ForgeKind = "GitLab"
	Gitea  ForgeKind = "Gitea" // Forgejo too
)

// Account is an account on a forge, by the number that no renaming changes. A login may be given to
// somebody else, so it is no part of it.
type Account struct {
	Kind ForgeKind
	Host string // with a port where the forge's address has one
	ID   int64
}

// String is the account for people. The number is the forge's, so it cannot be taken for a principal
// or an address.
func (a Account) String() string {
	return string(a.Kind) + " account " + strconv.FormatInt(a.ID, 10) + " on " + a.Host
}

// Forge is where the changes of a repository are reviewed.
type Forge struct {
	Kind    ForgeKind
	URL     string // root of its API
	Host    string // that accounts name
	Project string // owner/name
	Private bool   // it may have an address inside a private network
}

// Account is the account of that number on the forge.
func (f Forge) Account(id int64) Account { return Account{Kind: f.Kind, Host: f.Host, ID: id} }

// ByAccount names the principal with that account. An account that two names claim is nobody's.
func (p People) ByAccount(a Account) (string, bool) {
	if names := p.accounts[a]; len(names) == 1 && a.ID > 0 {
		return names[0], true
	}
	return "", false
}

// AccountClaimants are the principals who claim an account, sorted. As with Claimants, all of them
// count as authors of what the account did.
func (p People) AccountClaimants(a Account) []string { return p.accounts[a] }

// claimAccounts fills the accounts and tells which are claimed twice.
func (p *People) claimAccounts() (conflicts []string) {
	p.accounts = map[Account][]string{}
	for _, name := range p.names {
		for _, a := range p.byName[name].Accounts {
			if have := p.accounts[a]; !slices.Contains(have, name) {
				p.accounts[a] = append(have, name)
			}
		}
	}
	for a, names := range p.accounts {
		for _, other := range names[1:] {
			conflicts = append(conflicts, a.String()+" belongs to both "+names[0]+" and "+other)
		}
	}
	return conflicts
}

// unionAccounts joins two lists, each account once.
func unionAccounts(a, b []Account) []Account {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
