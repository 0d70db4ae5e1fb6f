package tier

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KeyFormat names a kind of signing key.
type KeyFormat string

// The formats.
const (
	SSH      KeyFormat = "SSH"
	OpenPGP  KeyFormat = "OpenPGP"
	X509     KeyFormat = "X509"
	Sigstore KeyFormat = "Sigstore" // keyless
)

// Key is one signing key of a principal. Zero times set no limit.
type Key struct {
	Format    KeyFormat
	Public    string // one authorized_keys line, one armoured OpenPGP public key, one authority's certificate, or one Sigstore trust root
	Identity  string // for X509 and Sigstore: the name that the authority's certificates carry
	Issuer    string // for Sigstore: who says so, as the certificates carry it
	NotBefore time.Time
	NotAfter  time.Time
	RevokedAt time.Time // what was first seen later does not count
	// Compromised: somebody else may have used the key, so nothing it ever signed counts.
	Compromised bool
	// RevokedSerials are those of certificates, in hex, by which nothing ever counts.
	RevokedSerials []string
}

// Principal is one person or robot with all their identities. Thresholds count principals, never
// keys or accounts.
type Principal struct {
	Name   string
	Robot  bool
	Emails []string
	Users  []string // Kubernetes user names
	Keys   []Key
	// Accounts are those on forges.
	Accounts []Account
	Teams    []string // sorted
}

// People is everybody Fairway knows. The zero value knows nobody.
type People struct {
	Digest  string   // of all teams: a policy input (ruling 4)
	names   []string // sorted
	byName  map[string]*Principal
	byEmail map[string]string // lower-cased
	byUser  map[string]string
	claims  map[string][]string // lower-cased address to everybody who claims it, sorted
	// accounts are those of forges, each with everybody who claims it, sorted.
	accounts map[Account][]string
}

// TeamSpec is one team as it was declared.
type TeamSpec struct {
	Name       string
	Principals []Principal
}

// NewPeople joins teams into people. A principal may stand in several teams under one name; the
// identities are joined, and where two teams give one key different windows, the narrower holds.
// An e-mail address, user, key or account that two names claim belongs to neither, since one person could
// otherwise be counted twice. A principal without a name, or with one that could be taken for an
// address, is left out. The conflicts are returned, sorted.
func NewPeople(digest string, teams []TeamSpec) (People, []string) {
	p := People{
		Digest: digest, byName: map[string]*Principal{}, byEmail: map[string]string{},
		byUser: map[string]string{}, claims: map[string][]string{},
	}
	var conflicts []string
	for _, t := range teams {
		for _, m := range t.Principals {
			if t.Name == "" || m.Name == "" || strings.HasPrefix(m.Name, "<") {
				conflicts = append(conflicts, "team "+strconv.Quote(t.Name)+" has a principal that cannot be named "+strconv.Quote(m.Name))
				continue
			}
			p.join(t.Name, m)
		}
	}
	p.names = slices.Sorted(maps.Keys(p.byName))
	for _, name := range p.names {
		for _, address := range lower(p.byName[name].Emails) {
			p.claims[address] = union(p.claims[address], []string{name})
		}
	}
	conflicts = append(conflicts, p.index(p.byEmail, "e-mail address", func(m *Principal) []string { return lower(m.Emails) })...)
	conflicts = append(conflicts, p.index(p.byUser, "user", func(m *Principal) []string { return m.Users })...)
	conflicts = append(conflicts, p.dropSharedKeys()...)
	conflicts = append(conflicts, p.claimAccounts()...)
	slices.Sort(conflicts)
	return p, conflicts
}

func (p *People) join(team string, m Principal) {
	have, ok := p.byName[m.Name]
	if !ok {
		have = &Principal{Name: m.Name, Robot: m.Robot}
		p.byName[m.Name] = have
	}
	have.Robot = have.Robot || m.Robot
	have.Emails = union(have.Emails, m.Emails)
	have.Users = union(have.Users, m.Users)
	have.Accounts = unionAccounts(have.Accounts, m.Accounts)
	have.Teams = union(have.Teams, []string{team})
	for _, k := range m.Keys {
		have.addKey(k)
	}
}

// addKey adds a key, or narrows the window of the same key: what one team revoked another team's
// entry must not bring back.
func (p *Principal) addKey(k Key) {
	if keyID(k) == "" {
		return
	}
	i := slices.IndexFunc(p.Keys, func(have Key) bool { return keyID(have) == keyID(k) })
	if i < 0 {
		p.Keys = append(p.Keys, k)
		return
	}
	have := &p.Keys[i]
	if k.NotBefore.After(have.NotBefore) {
		have.NotBefore = k.NotBefore
	}
	have.NotAfter = earlier(have.NotAfter, k.NotAfter)
	have.RevokedAt = earlier(have.RevokedAt, k.RevokedAt)
	have.Compromised = have.Compromised || k.Compromised
	have.RevokedSerials = union(have.RevokedSerials, k.RevokedSerials)
}

// earlier is the earlier of two limits; a zero time is no limit.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// index fills to from every principal's identities and takes out what two principals claim.
func (p *People) index(to map[string]string, what string, of func(*Principal) []string) (conflicts []string) {
	shared := map[string]bool{}
	for _, name := range p.Names() {
		for _, id := range of(p.byName[name]) {
			if other, taken := to[id]; taken && other != name {
				shared[id] = true
				conflicts = append(conflicts, what+" "+id+" belongs to both "+other+" and "+name)
				continue
			}
			to[id] = name
		}
	}
	for id := range shared {
		delete(to, id)
	}
	return conflicts
}

func (p *People) dropSharedKeys() (conflicts []string) {
	owner, shared := map[string]string{}, map[string]bool{}
	for _, name := range p.Names() {
		for _, k := range p.byName[name].Keys {
			id := keyID(k)
			if other, taken := owner[id]; taken && other != name {
				shared[id] = true
				conflicts = append(conflicts, "a key belongs to both "+other+" and "+name)
				continue
			}
			owner[id] = name
		}
	}
	for _, m := range p.byName {
		m.Keys = slices.DeleteFunc(m.Keys, func(k Key) bool { return shared[keyID(k)] })
	}
	return conflicts
}

// keyID compares SSH keys without their comment, and authorities with the name they vouch for.
func keyID(k Key) string {
	if f := strings.Fields(k.Public); k.Format == SSH && len(f) >= 2 {
		return f[0] + " " + f[1]
	}
	switch k.Format {
	case X509:
		return strings.TrimSpace(k.Public) + "\n" + k.Identity
	case Sigstore:
		return strings.TrimSpace(k.Public) + "\n" + k.Identity + "\n" + k.Issuer
	}
	return strings.TrimSpace(k.Public)
}

// Names are the names of all principals, sorted.
func (p People) Names() []string { return slices.Clone(p.names) }

// Get returns the principal of that name.
func (p People) Get(name string) (Principal, bool) {
	m, ok := p.byName[name]
	if !ok {
		return Principal{}, false
	}
	return *m, true
}

// ByEmail names the principal with that address; letter case does not matter.
func (p People) ByEmail(address string) (string, bool) {
	n, ok := p.byEmail[strings.ToLower(address)]
	return n, ok
}

// Claimants are the principals who claim an address, sorted. Where there are several, ByEmail names
// none of them; but whoever may have written a change must not approve it, so all of them count
// as its authors.
func (p People) Claimants(address string) []string { return p.claims[strings.ToLower(address)] }

// ByUser names the principal with that Kubernetes user name.
func (p People) ByUser(user string) (string, bool) {
	n, ok := p.byUser[user]
	return n, ok
}

// Teams are the teams of a principal, sorted; nil for somebody unknown.
func (p People) Teams(name string) []string {
	if m, ok := p.byName[name]; ok {
		return m.Teams
	}
	return nil
}

// InTeam reports whether a principal is in one of the teams.
func (p People) InTeam(name string, teams []string) bool {
	return slices.ContainsFunc(p.Teams(name), func(t string) bool { return slices.Contains(teams, t) })
}

// Members are the principals of a team who are no robots, sorted.
func (p People) Members(team string) []string {
	var members []string
	for _, n := range p.Names() {
		if m := p.byName[n]; !m.Robot && slices.Contains(m.Teams, team) {
			members = append(members, n)
		}
	}
	return members
}

func union(a, b []string) []string {
	c := append(slices.Clone(a), b...)
	c = slices.DeleteFunc(c, func(s string) bool { return s == "" })
	slices.Sort(c)
	return slices.Compact(c)
}

func lower(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return out
}
