package tier

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Namespace is what decides the tier of a namespace.
type Namespace struct {
	Name        string
	UID         string
	Labels      map[string]string
	Terminating bool
}

// Of is the tier that a namespace is in: that of its binding, else the highest rank whose selector
// matches its labels (the name decides between equal ranks), else the default tier. Where none of
// them exists it is Strictest.
func Of(ns Namespace, binding *Binding, tiers map[string]Tier, defaultTier string) Tier {
	if binding != nil {
		return named(tiers, binding.Tier)
	}
	var best Tier
	for _, t := range tiers {
		if t.Selector == nil || !t.Selector.Matches(ns.Labels) {
			continue
		}
		if best.Name == "" || t.Rank > best.Rank || t.Rank == best.Rank && t.Name < best.Name {
			best = t
		}
	}
	if best.Name != "" {
		return best
	}
	return named(tiers, defaultTier)
}

func named(tiers map[string]Tier, name string) Tier {
	if t, ok := tiers[name]; ok {
		return t
	}
	return Strictest(name)
}

// strictest is the digest of every tier that is made up by Strictest. That of a real one is a hash.
const strictest = "strictest"

// Missing reports whether the tier stands for one that does not exist or could not be read.
func (t Tier) Missing() bool { return t.Digest == strictest }

// Strictest is the tier for what is unknown: gated, enforced, and satisfied by no evidence, since
// it asks for an approval rule that nobody can fill. Name is the tier that was looked for.
func Strictest(name string) Tier {
	if name == "" {
		name = "(none)"
	}
	return Tier{
		Name: name, Digest: strictest, Lane: Gated, Enforcement: Enforce, Reciprocal: true,
		Signatures: SignatureRule{Require: EveryCommit}, Connect: PolicyDeny, Scale: PolicyDeny,
		Approvals: []ApprovalRule{{Name: "tier-exists", Minimum: 1, From: FromTeams}},
	}
}

// PolicyDigest is the digest of all that judges a source in a tier: a proof judged under another
// digest must be judged again before it may admit (ruling 4).
func PolicyDigest(t Tier, b Binding, p People, r Repository, schema string) string {
	h := sha256.New()
	for _, part := range []string{"fairway-policy-1", t.Name, t.Digest, b.Namespace, b.Name, b.Digest, p.Digest, r.Name, r.Digest, schema} {
		_, _ = h.Write([]byte(part)) // a hash never fails to write
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// SourceNamed finds a source of the binding.
func (b Binding) SourceNamed(name string) (Source, bool) {
	i := slices.IndexFunc(b.Sources, func(s Source) bool { return s.Name == name })
	if i < 0 {
		return Source{}, false
	}
	return b.Sources[i], true
}
