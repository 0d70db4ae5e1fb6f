package signature

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// x509Case is one row of the comparison with git, which asks gpgsm, and with openssl cms. Both trust
// the root and the stray one.
type x509Case struct {
	name    string
	armour  []byte
	payload []byte    // nil: the one that was signed
	key     tier.Key  // as listed; format, root and address are set where they are missing
	claimed time.Time // zero: today
	seen    time.Time // zero: a minute after it was claimed
	git     bool
	openssl bool
	ours    change.SignatureState
	why     string // where git accepts what we refuse; openssl stands for comparison
}

// x509World is an authority, one between and a stray one that nobody pins.
type x509World struct {
	root, between, stray *bearer
	ada                  *bearer // of the root
	low                  *bearer // of the one between
}

func newX509World(t testing.TB) x509World {
	t.Helper()
	w := x509World{root: issue(t, nil, 1, asAuthority("root")), stray: issue(t, nil, 2, asAuthority("stray"))}
	w.between = issue(t, w.root, 3, asAuthority("between"))
	w.ada, w.low = issue(t, w.root, 4), issue(t, w.between, 5)
	return w
}

// TestT11X509AgainstGit compares with git verify-commit and openssl cms -verify. What both refuse is
// never Good here, and where we refuse more the row says why.
func TestT11X509AgainstGit(t *testing.T) {
	l, w := newLab(t), newX509World(t)
	clerk := issueRSA(t, 2048, w.root, 6)
	l.trustX509(w.root, w.stray)
	now := time.Now().UTC().Truncate(time.Second)
	payload := commitAt(now)
	old := l.signGPGSM(day(10), clerk, commitAt(day(10)))
	good := l.signOpenSSL(payload, w.ada)
	cases := []x509Case{
		{name: "gpgsm, RSA", armour: old, payload: commitAt(day(10)), claimed: day(10), git: true, openssl: true, ours: change.Good},
		{name: "openssl, ECDSA", armour: good, git: true, openssl: true, ours: change.Good},
		{name: "authority between", armour: l.signOpenSSL(payload, w.low, "-certfile", l.write("between.pem", w.between.pem())), git: true, openssl: true, ours: change.Good},
		{name: "with its root", armour: l.signOpenSSL(payload, w.ada, "-certfile", l.write("rootfile.pem", w.root.pem())), git: true, openssl: true, ours: change.Good},
		{name: "SHA-384", armour: l.signOpenSSL(payload, w.ada, "-md", "sha384"), git: true, openssl: true, ours: change.Good},
		{name: "SHA-512", armour: l.signOpenSSL(payload, clerk, "-md", "sha512"), git: true, openssl: true, ours: change.Good},
		{name: "SHA-1", armour: l.signOpenSSL(payload, clerk, "-md", "sha1"), git: true, openssl: true, ours: change.Unsupported, why: "SHA-1 collides"},
		{name: "RSA-PSS", armour: l.signOpenSSL(payload, clerk, "-keyopt", "rsa_padding_mode:pss"), openssl: true, ours: change.Unsupported},
		{name: "tampered payload", armour: good, payload: commitAt(day(9)), ours: change.BadSignature},
		{name: "authority between left out", armour: l.signOpenSSL(payload, w.low), git: true, ours: change.UnknownKey, why: "gpgsm remembers the certificates of other messages"},
		{name: "signer by key identifier", armour: l.signOpenSSL(payload, w.ada, "-keyid"), openssl: true, ours: change.Malformed},
		{name: "no certificates", armour: l.signOpenSSL(payload, w.ada, "-nocerts"), git: true, ours: change.Malformed, why: "gpgsm remembers the certificates of other messages"},
		{name: "no signed attributes", armour: l.signOpenSSL(payload, w.ada, "-noattr"), git: true, openssl: true, ours: change.Malformed, why: "it does not say when it was made, and attributes could pass for content"},
		{name: "content within", armour: l.signOpenSSL(payload, w.ada, "-nodetach"), openssl: true, ours: change.Malformed},
		{name: "two signers", armour: l.signOpenSSL(payload, w.ada, "-signer", l.write("two.pem", clerk.pem()), "-inkey", l.write("two.key", clerk.keyPEM(t))), openssl: true, ours: change.Malformed},
		{name: "text before", armour: []byte("hello\n" + string(good)), ours: change.Malformed},
		{name: "text after", armour: []byte(string(good) + "hello\n"), git: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
		{name: "two blocks", armour: append(good[:len(good):len(good)], old...), git: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
	}
	cases = append(cases, whoX509(t, l, w, payload)...)
	cases = append(cases, whenX509(t, l, w, payload, good)...)
	cases = append(cases, shapesX509(t, w, payload, old, now)...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, l, w.root, payload, now) })
	}
}

// whoX509 are certificates that are not, or not only, the principal's.
func whoX509(t testing.TB, l *lab, w x509World, payload []byte) []x509Case {
	serial := int64(100) // of its own each: gpgsm takes an issuer and a serial number for one certificate
	with := func(change func(*x509.Certificate)) []byte {
		serial++
		return l.signOpenSSL(payload, issue(t, w.root, serial, change))
	}
	usage := func(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	narrow := issue(t, w.root, 21, asAuthority("narrow"), func(c *x509.Certificate) {
		c.PermittedEmailAddresses, c.PermittedDNSDomainsCritical = []string{"other.example.com"}, true
	})
	mail := issue(t, w.root, 22, asAuthority("mail"), usage(x509.ExtKeyUsageEmailProtection))
	certfile := func(b *bearer) []string { return []string{"-certfile", l.write("certfile.pem", b.pem())} }
	return []x509Case{
		{name: "same address from another root", armour: l.signOpenSSL(payload, issue(t, w.stray, 4)), git: true, ours: change.UnknownKey, why: "gpgsm trusts every root of its list for every address"},
		{name: "same address, signed by itself", armour: l.signOpenSSL(payload, issue(t, nil, 4)), ours: change.UnknownKey},
		{name: "issued by a person", armour: l.signOpenSSL(payload, issue(t, w.ada, 23), certfile(w.ada)...), ours: change.UnknownKey},
		{name: "other address", armour: with(func(c *x509.Certificate) { c.EmailAddresses = []string{"eve@example.com"} }), git: true, openssl: true, ours: change.UnknownKey, why: "git asks nobody who it is"},
		{name: "other letter case", armour: with(func(c *x509.Certificate) { c.EmailAddresses = []string{"Ada@example.com"} }), git: true, openssl: true, ours: change.UnknownKey, why: "an address is compared letter by letter"},
		{name: "address in the subject only", armour: with(func(c *x509.Certificate) {
			c.EmailAddresses, c.Subject.CommonName = nil, "ada@example.com"
		}), git: true, openssl: true, ours: change.UnknownKey, why: "a subject is free text"},
		{name: "addresses of two principals", armour: with(func(c *x509.Certificate) { c.EmailAddresses = []string{"ada@example.com", "bob@example.com"} }), git: true, openssl: true, ours: change.UnknownKey, why: "one person could count twice"},
		{name: "for e-mail", armour: with(usage(x509.ExtKeyUsageEmailProtection)), git: true, openssl: true, ours: change.UnknownKey, why: "it was issued for another purpose"},
		{name: "for TLS servers", armour: with(usage(x509.ExtKeyUsageServerAuth)), git: true, openssl: true, ours: change.UnknownKey, why: "it was issued for another purpose"},
		{name: "for any purpose", armour: with(usage()), git: true, openssl: true, ours: change.UnknownKey, why: "no purpose is not the one that is asked"},
		{name: "not for signing", armour: with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), git: true, openssl: true, ours: change.UnknownKey, why: "gpgsm does no more than warn"},
		{name: "an authority itself", armour: with(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
		}), git: true, openssl: true, ours: change.UnknownKey, why: "whoever issues certificates does not sign commits"},
		{name: "authority for other addresses", armour: l.signOpenSSL(payload, issue(t, narrow, 24), certfile(narrow)...), ours: change.UnknownKey},
		{name: "authority for e-mail only", armour: l.signOpenSSL(payload, issue(t, mail, 25), certfile(mail)...), git: true, openssl: true, ours: change.UnknownKey, why: "it may not issue certificates for code"},
		{name: "a certificate too many", armour: l.signOpenSSL(payload, w.ada, certfile(w.stray)...), git: true, openssl: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
		{name: "of Fulcio", armour: with(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: numbers(sigstore + "1.8"), Value: []byte("\x0c\x01x")}}
		}), git: true, openssl: true, ours: change.Unsupported, why: "its proof of time is in a log that nobody asked"},
		{name: "weak key", armour: l.signOpenSSL(payload, issueRSA(l.t, 1024, w.root, 26)), git: true, openssl: true, ours: change.Unsupported, why: "1024 bits can be factored"},
	}
}

// whenX509 are certificates out of time, and revoked.
func whenX509(t testing.TB, l *lab, w x509World, payload, good []byte) []x509Case {
	now := time.Now()
	lives := func(from, to time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
	}
	ended := issue(t, w.root, 31, asAuthority("ended"), lives(day(1), day(20)))
	low := l.signOpenSSL(payload, w.low, "-certfile", l.write("between.pem", w.between.pem()))
	brief := l.signOpenSSL(payload, issue(t, w.root, 34, lives(now.Add(-time.Hour), now.Add(time.Hour))))
	const never = "git knows no list of ours"
	return []x509Case{
		{name: "ended", armour: l.signOpenSSL(payload, issue(t, w.root, 32, lives(day(1), day(20)))), ours: change.ExpiredKey},
		{name: "not yet valid", armour: l.signOpenSSL(payload, issue(t, w.root, 33, lives(now.Add(time.Hour), now.Add(2*time.Hour)))), ours: change.NotYetValid},
		{name: "authority ended", armour: l.signOpenSSL(payload, issue(t, ended, 35), "-certfile", l.write("ended.pem", ended.pem())), ours: change.UnknownKey},
		{name: "brief", armour: brief, git: true, openssl: true, ours: change.Good},
		{name: "brief, first seen later", armour: brief, seen: now.Add(2 * time.Hour), git: true, openssl: true, ours: change.BackDated, why: "git does not know when a commit was first seen"},
		{name: "brief, committed before", armour: brief, claimed: now.Add(-2 * time.Hour), seen: now, git: true, openssl: true, ours: change.NotYetValid, why: "git does not look at the committer's date"},
		{name: "first seen before it was made", armour: good, claimed: day(10), seen: day(10), git: true, openssl: true, ours: change.BackDated, why: "git does not know when a commit was first seen"},
		{name: "window of the listing", armour: good, key: tier.Key{NotAfter: day(10)}, git: true, openssl: true, ours: change.ExpiredKey, why: never},
		{name: "listing revoked", armour: good, key: tier.Key{RevokedAt: day(10)}, git: true, openssl: true, ours: change.RevokedKey, why: never},
		{name: "listing compromised", armour: good, key: tier.Key{Compromised: true}, git: true, openssl: true, ours: change.RevokedKey, why: never},
		{name: "serial revoked", armour: good, key: tier.Key{RevokedSerials: []string{"ff", "04"}}, git: true, openssl: true, ours: change.RevokedKey, why: never},
		{name: "serial of the authority between revoked", armour: low, key: tier.Key{RevokedSerials: []string{"3"}}, git: true, openssl: true, ours: change.RevokedKey, why: never},
		{name: "other serial revoked", armour: good, key: tier.Key{RevokedSerials: []string{"40"}}, git: true, openssl: true, ours: change.Good},
	}
}

// shapesX509 are messages that no honest program makes.
func shapesX509(t testing.TB, w x509World, payload, streamed []byte, now time.Time) []x509Case {
	made := func(change func(*forge)) []byte {
		f := forge{payload: payload, by: w.ada, at: now}
		change(&f)
		return armourX509(f.make(t))
	}
	without := func(oid string) []byte {
		return made(func(f *forge) {
			f.attributes = func(all [][]byte) [][]byte {
				return slices.DeleteFunc(all, func(a []byte) bool {
					return strings.Contains(string(a), string(attribute(oid, func(*cryptobyte.Builder) {})[2:13]))
				})
			}
		})
	}
	plain := forge{payload: payload, by: w.ada, at: now}.make(t)
	inner, err := decodeX509(streamed)
	if err != nil {
		t.Fatal(err)
	}
	return []x509Case{
		{name: "as we make it", armour: armourX509(plain), git: true, openssl: true, ours: change.Good},
		{name: "as we make it, streamed", armour: made(func(f *forge) { f.streamed = true }), git: true, openssl: true, ours: change.Good},
		{name: "no message digest", armour: without(oidMessageDigest), ours: change.Malformed},
		{name: "no content type", armour: without(oidContentType), git: true, ours: change.Malformed, why: "RFC 5652 asks for it"},
		{name: "no signing time", armour: without(oidSigningTime), git: true, openssl: true, ours: change.Malformed, why: "it does not say when it was made"},
		{name: "attributes out of order", armour: made(func(f *forge) {
			f.attributes = func(all [][]byte) [][]byte { slices.Reverse(all); return all }
		}), git: true, openssl: true, ours: change.Malformed, why: "one message has one spelling"},
		{name: "attribute twice", armour: made(func(f *forge) {
			f.attributes = func(all [][]byte) [][]byte { return append(all, all[len(all)-1]) }
		}), ours: change.Malformed},
		{name: "digests differ", armour: made(func(f *forge) { f.digestSigned = oidSHA512 }), ours: change.Unsupported},
		{name: "with a log entry", armour: made(func(f *forge) { f.unsigned = anyEntry }), git: true, openssl: true, ours: change.Unsupported, why: "nobody signed it, and we do not verify it"},
		{name: "with revocation lists", armour: made(func(f *forge) { f.crls = true }), git: true, openssl: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
		{name: "other content", armour: made(func(f *forge) { f.contentType = "1.2.840.113549.1.7.5" }), openssl: true, ours: change.Malformed},
		{name: "bytes behind", armour: armourX509(append(plain[:len(plain):len(plain)], 0)), git: true, openssl: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
		{name: "bytes behind the streamed form", armour: armourX509(append(inner[:len(inner):len(inner)], 0, 0)), payload: commitAt(day(10)), claimed: day(10), git: true, openssl: true, ours: change.Malformed, why: "bytes that nobody signed would change the commit's id"},
		{name: "not closed", armour: armourX509(inner[:len(inner)-2]), payload: commitAt(day(10)), claimed: day(10), git: true, ours: change.Malformed, why: "gpgsm does not look for the end"},
		{name: "nothing", armour: armourX509([]byte{0x30, 0}), ours: change.Malformed},
	}
}

func (c x509Case) run(t *testing.T, l *lab, root *bearer, payload []byte, now time.Time) {
	if c.payload != nil {
		payload = c.payload
	}
	if c.claimed.IsZero() {
		c.claimed = now
	}
	if c.seen.IsZero() {
		c.seen = c.claimed.Add(time.Minute)
	}
	git, said := l.gitAccepts(l.store(payload, c.armour))
	if git != c.git {
		t.Errorf("git accepts: %v, want %v\n%s", git, c.git, said)
	}
	openssl := l.openSSLAccepts(payload, c.armour, root, now)
	if openssl != c.openssl {
		t.Errorf("openssl accepts: %v, want %v", openssl, c.openssl)
	}
	c.key.Format, c.key.Public, c.key.Identity = tier.X509, root.pem(), "ada@example.com"
	bob := tier.Key{Format: tier.X509, Public: root.pem(), Identity: "bob@example.com"}
	got := keyringOf(t, map[string][]tier.Key{"ada": {c.key}, "bob": {bob}}).VerifyCommit(payload, c.armour, c.claimed, c.seen)
	compare(t, got, c.ours, git, c.why)
	if got.State == change.Good && (got.Principal != "ada" || !openssl) {
		t.Errorf("good for %q, openssl accepts: %v", got.Principal, openssl)
	}
}

// TestT42X509SharedAddress: one address that two principals list belongs to neither, even under two
// certificates of one authority; and revocation in one listing counts for all.
func TestT42X509SharedAddress(t *testing.T) {
	w := newX509World(t)
	renewed := issueFor(t, w.root.key, nil, 9, asAuthority("root"))
	armour := armourX509(forge{payload: commitAt(day(10)), by: w.ada, at: day(10)}.make(t))
	listed := func(root *bearer) tier.Key {
		return tier.Key{Format: tier.X509, Public: root.pem(), Identity: "ada@example.com"}
	}
	revoked := listed(renewed)
	revoked.RevokedSerials = []string{big.NewInt(4).Text(16)}
	spelled := listed(w.root)
	spelled.Public = "\n" + strings.ReplaceAll(spelled.Public, "\n", "\r\n")
	for name, c := range map[string]struct {
		keys map[string][]tier.Key
		want change.SignatureState
	}{
		"one":                     {map[string][]tier.Key{"ada": {listed(w.root)}}, change.Good},
		"one, authority renewed":  {map[string][]tier.Key{"ada": {listed(w.root), listed(renewed)}}, change.Good},
		"one, revoked in one":     {map[string][]tier.Key{"ada": {listed(w.root), revoked}}, change.RevokedKey},
		"two":                     {map[string][]tier.Key{"ada": {listed(w.root)}, "bob": {listed(w.root)}}, change.UnknownKey},
		"two spellings":           {map[string][]tier.Key{"ada": {listed(w.root)}, "bob": {spelled}}, change.UnknownKey},
		"two, of a renewed one":   {map[string][]tier.Key{"ada": {listed(w.root)}, "bob": {listed(renewed)}}, change.UnknownKey},
		"another authority":       {map[string][]tier.Key{"ada": {listed(w.stray)}}, change.UnknownKey},
		"an authority between":    {map[string][]tier.Key{"ada": {listed(w.between)}}, change.UnknownKey},
		"an authority of its own": {map[string][]tier.Key{"ada": {listed(w.root)}, "bob": {listed(w.stray)}}, change.Good},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := NewKeyring(peopleOf(c.keys))
			got := k.VerifyCommit(commitAt(day(10)), armour, day(10), day(10))
			if got.State != c.want || (got.Principal == "ada") != (c.want == change.Good) {
				t.Errorf("%s of %q (%s), want %s", got.State, got.Principal, got.Detail, c.want)
			}
		})
	}
	t.Run("statement", func(t *testing.T) {
		k := keyringOf(t, map[string][]tier.Key{"ada": {listed(w.root)}})
		if got := k.VerifyStatement("fairway-approval", commitAt(day(10)), armour, day(10), day(10)); got.State != change.Unsupported {
			t.Errorf("%s, though it does not say what it is for", got.State)
		}
	})
}

// TestX509ListingsThatAreNotTaken: what cannot be used is named and counts for nothing.
func TestX509ListingsThatAreNotTaken(t *testing.T) {
	w := newX509World(t)
	armour := armourX509(forge{payload: commitAt(day(10)), by: w.ada, at: day(10)}.make(t))
	for name, key := range map[string]tier.Key{
		"a person's certificate":   {Public: w.ada.pem(), Identity: "ada@example.com"},
		"no address":               {Public: w.root.pem()},
		"two certificates":         {Public: w.root.pem() + w.stray.pem(), Identity: "ada@example.com"},
		"text before":              {Public: "hello\n" + w.root.pem(), Identity: "ada@example.com"},
		"a private key":            {Public: w.root.keyPEM(t), Identity: "ada@example.com"},
		"weak":                     {Public: issueRSA(t, 1024, nil, 7, asAuthority("weak")).pem(), Identity: "ada@example.com"},
		"serial that is no number": {Public: w.root.pem(), Identity: "ada@example.com", RevokedSerials: []string{"0x4"}},
	} {
		t.Run(name, func(t *testing.T) {
			key.Format = tier.X509
			k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"ada": {key}}))
			if len(problems) != 1 || len(problems[0]) > 200 {
				t.Errorf("problems %q, want one short one", problems)
			}
			if got := k.VerifyCommit(commitAt(day(10)), armour, day(10), day(10)); got.State != change.UnknownKey {
				t.Errorf("%s (%s)", got.State, got.Detail)
			}
		})
	}
}
