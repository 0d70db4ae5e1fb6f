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
	ssh  map[string]*sshKey    // by wire form of the public key
	pgp  map[string]*pgpKey    // by full fingerprint of the primary key or subkey that signs
	x509 map[string][]*x509Key // by the address that the certificate carries

	keyless map[identity]*keylessKey
	roots   map[string]*trustRoot // by their text, so that each is read once
}

// NewKeyring compiles the keys of people. A key that cannot be used is left out and named among the
// problems, which are for people, sorted, and hold no key. A key that two principals list, in
// whatever spelling, belongs to neither: one person could otherwise be counted twice (T-42).
func NewKeyring(people tier.People) (*Keyring, []string) {
	k := &Keyring{ssh: map[string]*sshKey{}, pgp: map[string]*pgpKey{}, x509: map[string][]*x509Key{},
		keyless: map[identity]*keylessKey{}, roots: map[string]*trustRoot{}}
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
	defer func() {
		if recover() != nil { // one crafted key must not stop the others from being read
			problems = []string{"internal: reading it failed"}
		}
	}()
	switch key.Format {
	case tier.SSH:
		return k.addSSH(principal, key)
	case tier.OpenPGP:
		return k.addOpenPGP(principal, key)
	case tier.X509:
		return k.addX509(principal, key)
	case tier.Sigstore:
		return k.addKeyless(principal, key)
	}
	return []string{"unknown format"}
}

// holder is whose key it is and when it may be used.
type holder struct {
	principal   string
	shared      bool // listed for two principals: nobody's
	window      window
	revokedAt   time.Time // zero: not revoked
	compromised bool      // voids everything, whenever it was made or seen
}

// window is a time in which a key may sign: from its start, up to but without its end. Zero times
// set no limit.
type window struct{ start, end time.Time }

func newHolder(principal string, key tier.Key) holder {
	return holder{
		principal: principal, window: window{key.NotBefore, key.NotAfter},
		revokedAt: key.RevokedAt, compromised: key.Compromised,
	}
}

// join adds another listing of the same key in another spelling. As tier.NewPeople does for equal
// spellings, the narrower window holds and a revocation in one listing counts for all.
func (h *holder) join(other holder) (problems []string) {
	if h.principal != other.principal {
		h.shared = true
		return []string{"it is also listed for " + h.principal + ", so it belongs to neither"}
	}
	h.window = h.window.narrow(other.window)
	h.compromised = h.compromised || other.compromised
	h.revokedAt = earlier(h.revokedAt, other.revokedAt)
	return nil
}

// narrow is what two windows share.
func (w window) narrow(other window) window {
	if other.start.After(w.start) {
		w.start = other.start
	}
	w.end = earlier(w.end, other.end)
	return w
}

// earlier is the earlier of two limits; a zero time is no limit.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// judge says whether the key could sign at all the times that the signer claims, given when the
// signature was first seen. Revocation is looked at first and always wins.
func (h *holder) judge(claims []time.Time, seen time.Time) (change.SignatureState, string) {
	if state, detail := h.inForce(slices.MaxFunc(claims, time.Time.Compare), seen); state != change.Good {
		return state, detail
	}
	return h.window.judge(claims, seen)
}

// inForce says whether the key was not revoked, for a signature made at one time and first seen at
// another that is not before it.
func (h *holder) inForce(made, seen time.Time) (change.SignatureState, string) {
	switch r := h.revokedAt; {
	case h.compromised:
		return change.RevokedKey, "the key is compromised: nothing it ever signed counts"
	case !r.IsZero() && (!seen.Before(r) || !made.Before(r)):
		return change.RevokedKey, "the key was revoked at " + stamp(r) + ", the signature was first seen at " + stamp(seen)
	case made.After(seen.Add(skew)):
		return change.BackDated, "claims to be made at " + stamp(made) + ", after it was first seen at " + stamp(seen)
	}
	return change.Good, ""
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
	return change.Good, ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
