package signature

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// skew is how far two honest clocks may differ (T-41).
const skew = 5 * time.Minute

// Keyring knows the signing keys of all people. It is immutable and may be used by several
// goroutines. A zero Keyring knows nobody.
type Keyring struct {
	ssh map[string]*sshKey // by wire form of the public key
	pgp map[string]*pgpKey // by full fingerprint of the primary key or subkey that signs
}

// NewKeyring compiles the keys of people. A key that cannot be used is left out and named among the
// problems, which are for people, sorted, and hold no key. A key that two principals list, in
// whatever spelling, belongs to neither: one person could otherwise be counted twice (T-42).
func NewKeyring(people tier.People) (*Keyring, []string) {
	k := &Keyring{ssh: map[string]*sshKey{}, pgp: map[string]*pgpKey{}}
	var problems []string
	for _, name := range people.Names() {
		principal, _ := people.Get(name)
		for i, key := range principal.Keys {
			for _, p := range k.add(name, key) {
				problems = append(problems, fmt.Sprintf("key %d of %s: %s", i+1, name, p))
			}
		}
	}
	slices.Sort(problems)
	return k, problems
}

func (k *Keyring) add(principal string, key tier.Key) (problems []string) {
	switch key.Format {
	case tier.SSH:
		return k.addSSH(principal, key)
	case tier.OpenPGP:
		return k.addOpenPGP(principal, key)
	}
	return []string{"unknown format"}
}

// holder is whose key it is and when it may be used.
type holder struct {
	principal   string
	shared      bool // listed for two principals: nobody's
	windows     []window
	revokedAt   time.Time // the earliest that is listed; zero: not revoked
	compromised bool      // voids everything, whenever it was made or seen
}

// window is a time in which a key may sign: from its start, up to but without its end. Zero times
// set no limit.
type window struct{ start, end time.Time }

func newHolder(principal string, key tier.Key) holder {
	return holder{
		principal: principal, windows: []window{{key.NotBefore, key.NotAfter}},
		revokedAt: key.RevokedAt, compromised: key.Compromised,
	}
}

// join adds another listing of the same key. Any of its windows will do, as with several lines of
// an allowed_signers file; a revocation in one listing counts for all.
func (h *holder) join(other holder) (problems []string) {
	if h.principal != other.principal {
		h.shared = true
		return []string{"it is also listed for " + h.principal + ", so it belongs to neither"}
	}
	h.windows = append(h.windows, other.windows...)
	h.compromised = h.compromised || other.compromised
	if h.revokedAt.IsZero() || !other.revokedAt.IsZero() && other.revokedAt.Before(h.revokedAt) {
		h.revokedAt = other.revokedAt
	}
	return []string{"it is listed more than once; each window counts, and so does each revocation"}
}

// judge says whether the key could sign at all the times that the signer claims, given when the
// signature was first seen. Revocation is looked at first and always wins.
func (h *holder) judge(claims []time.Time, seen time.Time) (change.SignatureState, string) {
	if h.compromised {
		return change.RevokedKey, "the key is compromised: nothing it ever signed counts"
	}
	latest := slices.MaxFunc(claims, time.Time.Compare)
	if r := h.revokedAt; !r.IsZero() && (!seen.Before(r) || !latest.Before(r)) {
		return change.RevokedKey, "the key was revoked at " + stamp(r) + ", the signature was first seen at " + stamp(seen)
	}
	if latest.After(seen.Add(skew)) {
		return change.BackDated, "claims to be made at " + stamp(latest) + ", after it was first seen at " + stamp(seen)
	}
	state, detail := change.NotYetValid, ""
	for _, w := range h.windows {
		if s, d := w.judge(claims, seen); detail == "" || closeness(s) > closeness(state) {
			state, detail = s, d
		}
	}
	if state == change.Good {
		detail = ""
	}
	return state, detail
}

func (w window) judge(claims []time.Time, seen time.Time) (change.SignatureState, string) {
	for _, at := range claims {
		if at.Before(w.start) {
			return change.NotYetValid, "made at " + stamp(at) + ", before the key was valid at " + stamp(w.start)
		}
		if !w.end.IsZero() && !at.Before(w.end) {
			return change.ExpiredKey, "made at " + stamp(at) + ", when the key had ended at " + stamp(w.end)
		}
	}
	if !w.end.IsZero() && !seen.Before(w.end.Add(skew)) {
		return change.BackDated, "first seen at " + stamp(seen) + ", when the key had ended at " + stamp(w.end) +
			"; the date it claims is the signer's choice"
	}
	return change.Good, "good"
}

// closeness orders what several windows say of one signature: the nearest to good is told.
func closeness(s change.SignatureState) int {
	return slices.Index([]change.SignatureState{change.NotYetValid, change.ExpiredKey, change.BackDated, change.Good}, s)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
