package signature

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/proto"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// keylessCase is one row of the hostile table. Ada's identity is pinned under one installation.
type keylessCase struct {
	name   string
	armour []byte
	key    func(*tier.Key) // changes ada's listing
	seen   time.Time       // zero: day 20, long after every certificate ended
	want   change.SignatureState
	says   string // part of the reason
}

// TestT11Keyless: an identity counts whose certificate an authority of the pinned trust root issued,
// under a signature that a log of that root saw while the certificate lived. Everything else is
// refused, for a reason that names what is wrong.
func TestT11Keyless(t *testing.T) {
	l, evil := newSigstoreLab(t), newSigstoreLab(t)
	at, payload := day(10), commitAt(day(10))
	good := forge{payload: payload, by: l.person(t, at), at: at}
	signed := l.gitsign(t, good, at)
	cases := []keylessCase{
		{name: "good", armour: signed, want: change.Good},
		{name: "the maker's clock is a year off", armour: l.gitsign(t, forge{payload: payload, by: good.by, at: at.AddDate(-1, 0, 0)}, at), want: change.Good},
		{name: "with the authority between", armour: l.gitsign(t, forge{payload: payload, by: good.by, at: at, with: []*bearer{l.between}}, at), want: change.Good},
		{name: "no log for certificates pinned", armour: signed, want: change.Good, key: func(k *tier.Key) {
			k.Public = l.trustRoot(t, func(_ *[]root.CertificateAuthority, certs, _ map[string]*root.TransparencyLog) { clear(certs) })
		}},
		{name: "a stray certificate", armour: l.gitsign(t, forge{payload: payload, by: good.by, at: at, with: []*bearer{evil.between}}, at), want: change.Malformed, says: "not in its chain"},
		{name: "text before", armour: append([]byte("hello\n"), signed...), want: change.Malformed},
		{name: "text after", armour: append(slices.Clone(signed), "hello\n"...), want: change.Malformed},
		{name: "two signatures", armour: append(slices.Clone(signed), signed...), want: change.Malformed},
		{name: "timestamp of an authority", armour: armourX509(forge{payload: payload, by: good.by, at: at, unsigned: func(_, _ []byte) []byte {
			return entryOf("1.2.840.113549.1.9.16.2.14", []byte("token"))
		}}.make(t)), want: change.Unsupported, says: "unsigned attributes"},
		{name: "seen before it was logged", armour: signed, seen: at.Add(-time.Hour), want: change.BackDated},
	}
	cases = append(cases, whoKeyless(t, l, evil, payload)...)
	cases = append(cases, whenKeyless(t, l, signed)...)
	cases = append(cases, loggedKeyless(t, l, evil, good)...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, l, payload, at) })
	}
}

func (c keylessCase) run(t *testing.T, l *sigstoreLab, payload []byte, at time.Time) {
	key := l.key(t)
	if c.key != nil {
		c.key(&key)
	}
	if c.seen.IsZero() {
		c.seen = day(20)
	}
	k := keyringOf(t, map[string][]tier.Key{"ada": {key}})
	// The committer's date is the maker's choice, and says nothing.
	got := k.VerifyCommit(payload, c.armour, day(1), c.seen)
	if got.State != c.want || !strings.Contains(got.Detail, c.says) {
		t.Errorf("%s (%s), want %s (%s)", got.State, got.Detail, c.want, c.says)
	}
	if (got.Principal == "ada") != (c.want == change.Good) || len(got.Detail) > 400 {
		t.Errorf("by %q, %d bytes of reason", got.Principal, len(got.Detail))
	}
	if c.want == change.Good && !got.SignedAt.Equal(at) {
		t.Errorf("signed at %s, and the log says %s", got.SignedAt, at)
	}
	if bad := k.VerifyCommit(commitAt(day(9)), c.armour, day(10), c.seen); bad.State == change.Good {
		t.Error("good over bytes that nobody signed")
	}
}

// whoKeyless are certificates that are not ada's, or not from there.
func whoKeyless(t testing.TB, l, evil *sigstoreLab, payload []byte) []keylessCase {
	at := day(10)
	by := func(change func(*x509.Certificate)) []byte {
		return l.gitsign(t, forge{payload: payload, by: l.person(t, at, change), at: at}, at)
	}
	theirs := forge{payload: payload, by: evil.person(t, at), at: at}
	mixed := *l // an authority that nobody pins, and the log that is pinned
	mixed.root, mixed.between = evil.root, evil.between
	unlogged := *l // the authority that is pinned, and a log for certificates that is not
	unlogged.certs = evil.certs
	page, err := url.Parse("https://example.com/ada")
	if err != nil {
		t.Fatal(err)
	}
	return []keylessCase{
		{name: "other issuer", armour: by(func(c *x509.Certificate) { c.ExtraExtensions = issuedBy("https://evil.example.com") }), want: change.UnknownKey, says: `"https://evil.example.com"`},
		{name: "issuer with a slash more", armour: by(func(c *x509.Certificate) { c.ExtraExtensions = issuedBy(adaIssuer + "/") }), want: change.UnknownKey},
		{name: "no issuer", armour: by(func(c *x509.Certificate) { c.ExtraExtensions = issuedBy("")[:1] }), want: change.Malformed, says: "who vouched"},
		{name: "other name", armour: by(func(c *x509.Certificate) { c.EmailAddresses = []string{"eve@example.com"} }), want: change.UnknownKey, says: `"eve@example.com"`},
		{name: "other letter case", armour: by(func(c *x509.Certificate) { c.EmailAddresses = []string{"Ada@example.com"} }), want: change.UnknownKey},
		{name: "two names", armour: by(func(c *x509.Certificate) { c.EmailAddresses = []string{adaIdentity, "eve@example.com"} }), want: change.Malformed, says: "exactly one"},
		{name: "a name and a page", armour: by(func(c *x509.Certificate) { c.URIs = []*url.URL{page} }), want: change.Malformed, says: "exactly one"},
		{name: "a host's name", armour: by(func(c *x509.Certificate) { c.DNSNames = []string{"ada.example.com"} }), want: change.Malformed},
		{name: "for TLS", armour: by(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), want: change.UnknownKey, says: "not one for signing code"},
		{name: "issuer text that would write lines", armour: by(func(c *x509.Certificate) { c.ExtraExtensions = issuedBy("x\n\u202e" + strings.Repeat("y", 500)) }), want: change.UnknownKey, says: `"x\n\u202e`},
		{name: "another trust root", armour: evil.gitsign(t, theirs, at), want: change.BadSignature, says: "no log of the trust root"},
		{name: "another authority, our log", armour: mixed.gitsign(t, forge{payload: payload, by: mixed.person(t, at), at: at}, at), want: change.UnknownKey, says: "leads to no authority"},
		{name: "our authority, another log", armour: evil.gitsign(t, forge{payload: payload, by: l.person(t, at), at: at}, at), want: change.BadSignature, says: "no log of the trust root"},
		{name: "certificate that was not logged", armour: l.gitsign(t, forge{payload: payload, by: unlogged.person(t, at), at: at}, at), want: change.UnknownKey, says: "vouches for its certificate"},
		{name: "Fulcio pinned as an authority of the company", armour: by(func(*x509.Certificate) {}), want: change.UnknownKey, key: func(k *tier.Key) {
			*k = tier.Key{Format: tier.X509, Public: l.root.pem(), Identity: adaIdentity}
		}},
	}
}

// whenKeyless are times: of the log, and of what people say of the identity.
func whenKeyless(t testing.TB, l *sigstoreLab, signed []byte) []keylessCase {
	at, payload := day(10), commitAt(day(10))
	logged := func(when time.Time) []byte {
		return l.gitsign(t, forge{payload: payload, by: l.person(t, at), at: at}, when)
	}
	return []keylessCase{
		{name: "logged after the certificate ended", armour: logged(at.Add(time.Hour)), want: change.ExpiredKey, says: "when its certificate had ended"},
		{name: "logged before it began", armour: logged(at.Add(-time.Hour)), want: change.NotYetValid},
		{name: "identity ended later", armour: signed, want: change.Good, key: func(k *tier.Key) { k.NotAfter = day(15) }},
		{name: "identity had ended", armour: signed, want: change.ExpiredKey, key: func(k *tier.Key) { k.NotAfter = day(9) }},
		{name: "identity had not begun", armour: signed, want: change.NotYetValid, key: func(k *tier.Key) { k.NotBefore = day(11) }},
		{name: "revoked before it was seen", armour: signed, want: change.RevokedKey, key: func(k *tier.Key) { k.RevokedAt = day(15) }},
		{name: "revoked after it was seen", armour: signed, seen: day(11), want: change.Good, key: func(k *tier.Key) { k.RevokedAt = day(15) }},
		{name: "compromised", armour: signed, seen: day(11), want: change.RevokedKey, key: func(k *tier.Key) { k.RevokedAt, k.Compromised = day(15), true }},
		{name: "a log whose key had ended", armour: signed, want: change.BadSignature, key: func(k *tier.Key) {
			k.Public = l.trustRoot(t, func(_ *[]root.CertificateAuthority, _, logs map[string]*root.TransparencyLog) {
				for _, log := range logs {
					log.ValidityPeriodEnd = day(9)
				}
			})
		}},
		{name: "an authority whose time had ended", armour: signed, want: change.UnknownKey, key: func(k *tier.Key) {
			k.Public = l.trustRoot(t, func(cas *[]root.CertificateAuthority, _, _ map[string]*root.TransparencyLog) {
				(*cas)[0] = &root.FulcioCertificateAuthority{
					Root: l.root.certificate, Intermediates: []*x509.Certificate{l.between.certificate}, ValidityPeriodStart: day(1), ValidityPeriodEnd: day(9),
				}
			})
		}},
	}
}

// loggedKeyless are log entries that are missing, of something else, or changed.
func loggedKeyless(t testing.TB, l, evil *sigstoreLab, good forge) []keylessCase {
	at := day(10)
	entry := func(change func(*rekor.TransparencyLogEntry)) []byte { return l.gitsign(t, good, at, change) }
	of := func(f forge) []byte {
		made := l.logged(t, good.by, []byte("other"), sign(t, good.by.key, []byte("other")), at)
		f.unsigned = func(_, _ []byte) []byte {
			raw, err := proto.Marshal(made)
			if err != nil {
				t.Fatal(err)
			}
			return entryOf(oidLogEntry, raw)
		}
		return armourX509(f.make(t))
	}
	twice := good
	twice.unsigned = func(a, s []byte) []byte { return append(anyEntry(a, s), anyEntry(a, s)...) }
	junk := good
	junk.unsigned = anyEntry
	wrong := good
	wrong.by = &bearer{certificate: good.by.certificate, key: evil.log} // somebody else's key under ada's certificate
	return []keylessCase{
		{name: "no log entry", armour: armourX509(good.make(t)), want: change.Unsupported, says: "gitsign.rekorMode offline"},
		{name: "log entry of another payload", armour: of(good), want: change.BadSignature, says: "no log of the trust root"},
		{name: "log entry twice", armour: armourX509(twice.make(t)), want: change.Unsupported},
		{name: "log entry that is junk", armour: armourX509(junk.make(t)), want: change.Malformed, says: "log entry cannot be read"},
		{name: "promise changed", armour: entry(func(e *rekor.TransparencyLogEntry) { e.InclusionPromise.SignedEntryTimestamp[9] ^= 1 }), want: change.BadSignature},
		{name: "promise for another time", armour: entry(func(e *rekor.TransparencyLogEntry) { e.IntegratedTime++ }), want: change.BadSignature, says: "at the time it gives"},
		{name: "promise for another place", armour: entry(func(e *rekor.TransparencyLogEntry) { e.LogIndex++ }), want: change.BadSignature},
		{name: "no promise", armour: entry(func(e *rekor.TransparencyLogEntry) { e.InclusionPromise = nil }), want: change.Malformed},
		{name: "no proof", armour: entry(func(e *rekor.TransparencyLogEntry) { e.InclusionProof = nil }), want: change.Malformed},
		{name: "proof of another leaf", armour: entry(func(e *rekor.TransparencyLogEntry) { e.InclusionProof.Hashes[0][3] ^= 1 }), want: change.BadSignature},
		{name: "proof without a checkpoint", armour: entry(func(e *rekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint = nil }), want: change.Malformed},
		{name: "checkpoint of another log", armour: entry(func(e *rekor.TransparencyLogEntry) {
			e.InclusionProof.Checkpoint = evil.logged(t, good.by, nil, nil, at).InclusionProof.Checkpoint
		}), want: change.BadSignature},
		{name: "entry of another kind", armour: entry(func(e *rekor.TransparencyLogEntry) { e.KindVersion.Version = "0.0.2" }), want: change.Malformed},
		{name: "no kind", armour: entry(func(e *rekor.TransparencyLogEntry) { e.KindVersion = nil }), want: change.Malformed},
		{name: "no log", armour: entry(func(e *rekor.TransparencyLogEntry) { e.LogId = nil }), want: change.Malformed},
		{name: "signed by another key, logged", armour: l.gitsign(t, wrong, at), want: change.Malformed, says: "none of this signature"},
		{name: "SHA-512", armour: l.gitsign(t, forge{payload: good.payload, by: good.by, at: at, digestSigned: oidSHA512}, at), want: change.Unsupported},
	}
}

// TestT42KeylessIdentity: one identity that two principals list is nobody's, under whatever trust roots;
// the same name of another issuer is somebody else's.
func TestT42KeylessIdentity(t *testing.T) {
	l, other := newSigstoreLab(t), newSigstoreLab(t)
	at := day(10)
	signed := l.gitsign(t, forge{payload: commitAt(at), by: l.person(t, at), at: at}, at)
	listed := func(from *sigstoreLab, change ...func(*tier.Key)) tier.Key {
		key := from.key(t)
		for _, c := range change {
			c(&key)
		}
		return key
	}
	unreadable := func(k *tier.Key) { k.Public = "{}" }
	elsewhere := func(k *tier.Key) { k.Issuer = "https://other.example.com" }
	for name, c := range map[string]struct {
		keys map[string][]tier.Key
		want change.SignatureState
	}{
		"one":                            {map[string][]tier.Key{"ada": {listed(l)}}, change.Good},
		"one, under two trust roots":     {map[string][]tier.Key{"ada": {listed(other), listed(l)}}, change.Good},
		"one, compromised under another": {map[string][]tier.Key{"ada": {listed(l), listed(other, func(k *tier.Key) { k.Compromised = true })}}, change.RevokedKey},
		"one, compromised under one that cannot be read": {map[string][]tier.Key{"ada": {listed(l), listed(l, unreadable, func(k *tier.Key) { k.Compromised = true })}}, change.RevokedKey},
		"one, ended under one that is gone":              {map[string][]tier.Key{"ada": {listed(l, func(k *tier.Key) { k.Public, k.NotAfter = "", day(5) }), listed(l)}}, change.ExpiredKey},
		"two, under one that cannot be read":             {map[string][]tier.Key{"ada": {listed(l)}, "bob": {listed(l, unreadable)}}, change.UnknownKey},
		"two":                                            {map[string][]tier.Key{"ada": {listed(l)}, "bob": {listed(l)}}, change.UnknownKey},
		"two, under two trust roots":                     {map[string][]tier.Key{"ada": {listed(l)}, "bob": {listed(other)}}, change.UnknownKey},
		"two, of two issuers":                            {map[string][]tier.Key{"ada": {listed(l)}, "bob": {listed(l, elsewhere)}}, change.Good},
		"somebody else, of another issuer":               {map[string][]tier.Key{"bob": {listed(l, elsewhere)}}, change.UnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := NewKeyring(peopleOf(c.keys))
			got := k.VerifyCommit(commitAt(at), signed, at, day(20))
			if got.State != c.want || (got.Principal == "ada") != (c.want == change.Good) {
				t.Errorf("%s of %q (%s), want %s", got.State, got.Principal, got.Detail, c.want)
			}
		})
	}
	t.Run("statement", func(t *testing.T) {
		k := keyringOf(t, map[string][]tier.Key{"ada": {listed(l)}})
		if got := k.VerifyStatement("fairway-approval", commitAt(at), signed, at, day(20)); got.State != change.Unsupported {
			t.Errorf("%s, though it does not say what it is for", got.State)
		}
	})
}

// TestKeylessListingsThatAreNotTaken: what cannot be used is named, and counts for nothing.
func TestKeylessListingsThatAreNotTaken(t *testing.T) {
	l := newSigstoreLab(t)
	at := day(10)
	signed := l.gitsign(t, forge{payload: commitAt(at), by: l.person(t, at), at: at}, at)
	for name, change1 := range map[string]func(*tier.Key){
		"no name":             func(k *tier.Key) { k.Identity = "" },
		"no issuer":           func(k *tier.Key) { k.Issuer = "" },
		"no trust root":       func(k *tier.Key) { k.Public = "" },
		"a certificate":       func(k *tier.Key) { k.Public = l.root.pem() },
		"an empty trust root": func(k *tier.Key) { k.Public = `{"mediaType":"` + root.TrustedRootMediaType01 + `"}` },
		"no authority": func(k *tier.Key) {
			k.Public = l.trustRoot(t, func(cas *[]root.CertificateAuthority, _, _ map[string]*root.TransparencyLog) { *cas = nil })
		},
		"no log": func(k *tier.Key) {
			k.Public = l.trustRoot(t, func(_ *[]root.CertificateAuthority, _, logs map[string]*root.TransparencyLog) { clear(logs) })
		},
		"a field more":   func(k *tier.Key) { k.Public = strings.Replace(k.Public, "{", `{"x":1,`, 1) },
		"text behind":    func(k *tier.Key) { k.Public += "{}" },
		"too long":       func(k *tier.Key) { k.Public += strings.Repeat(" ", maxTrustRoot) + "x" },
		"serial numbers": func(k *tier.Key) { k.RevokedSerials = []string{"07"} },
	} {
		t.Run(name, func(t *testing.T) {
			key := l.key(t)
			change1(&key)
			k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"ada": {key}}))
			if got := k.VerifyCommit(commitAt(at), signed, at, day(20)); got.State != change.UnknownKey {
				t.Errorf("%s (%s)", got.State, got.Detail)
			}
			if name != "no trust root" && (len(problems) != 1 || len(problems[0]) > 200) { // an empty key is left out before
				t.Errorf("problems %q, want one short one", problems)
			}
		})
	}
}

// signedBefore is a key that makes one signature, which it made before.
type signedBefore struct {
	crypto.Signer
	signature []byte
}

func (s signedBefore) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, nil
}

// FuzzKeyless: whatever the message, entry or trust root, the answer is sealed, no library panics, and
// nothing is good over bytes that nobody signed.
func FuzzKeyless(f *testing.F) {
	l := newSigstoreLab(f)
	at := day(10)
	good := forge{payload: []byte(seedPayload), by: l.person(f, at), at: at}
	whole, err := decodeX509(l.gitsign(f, good, at))
	if err != nil {
		f.Fatal(err)
	}
	m, err := parseCMS(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, m.entry)
	f.Add(good.make(f), m.entry)
	f.Add(whole, []byte("entry"))
	k := keyringOf(f, map[string][]tier.Key{"ada": {l.key(f)}})
	// Signed once, so that one input is one message.
	same := &bearer{certificate: good.by.certificate, key: signedBefore{good.by.key, m.signature}}
	f.Fuzz(func(t *testing.T, raw, entry []byte) {
		swapped := good
		swapped.by = same
		swapped.unsigned = func(_, _ []byte) []byte { return entryOf(oidLogEntry, entry) }
		for _, armour := range [][]byte{armourX509(raw), armourX509(swapped.make(t))} {
			got := k.VerifyCommit([]byte(seedPayload), armour, at, day(20))
			if (got.Principal == "ada") != (got.State == change.Good) || got.State == change.Unchecked || strings.Contains(got.Detail, "internal") {
				t.Errorf("not sealed, or a panic: %+v", got)
			}
			if got.State == change.Good && !bytes.Equal(raw, whole) && !got.SignedAt.Equal(at) {
				t.Errorf("good at a time that no log gave: %s", got.SignedAt)
			}
			if bad := k.VerifyCommit([]byte(seedPayload+"x"), armour, at, day(20)); bad.State == change.Good {
				t.Errorf("good over bytes that nobody signed: %x", armour)
			}
		}
	})
}
