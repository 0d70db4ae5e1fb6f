package signature

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT41KeyStates: five states of a key, a commit date before and after, and clocks an hour off.
func TestT41KeyStates(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	payload := []byte("hello")
	armour := p.sign(t, GitNamespace, payload)
	keys := map[string]tier.Key{
		"valid":       {},
		"from day 10": {NotBefore: day(10)},
		"to day 10":   {NotAfter: day(10)},
		"revoked":     {RevokedAt: day(10)},
		"compromised": {Compromised: true},
	}
	const (
		good  = change.Good
		early = change.NotYetValid
		ended = change.ExpiredKey
		back  = change.BackDated
		gone  = change.RevokedKey
	)
	day9, day11, hour := day(9), day(11), time.Hour
	for _, c := range []struct {
		claimed, seen time.Time
		want          map[string]change.SignatureState
	}{
		{day9, day9, map[string]change.SignatureState{"valid": good, "from day 10": early, "to day 10": good, "revoked": good, "compromised": gone}},
		{day9, day11, map[string]change.SignatureState{"valid": good, "from day 10": early, "to day 10": back, "revoked": gone, "compromised": gone}},
		{day11, day11, map[string]change.SignatureState{"valid": good, "from day 10": good, "to day 10": ended, "revoked": gone, "compromised": gone}},
		{day11, day9, map[string]change.SignatureState{"valid": back, "from day 10": back, "to day 10": back, "revoked": gone, "compromised": gone}},
		// The signer's clock is an hour ahead of ours, then an hour behind.
		{day11.Add(hour), day11, map[string]change.SignatureState{"valid": back, "from day 10": back, "to day 10": back, "revoked": gone, "compromised": gone}},
		{day11.Add(-hour), day11, map[string]change.SignatureState{"valid": good, "from day 10": good, "to day 10": ended, "revoked": gone, "compromised": gone}},
		// Within the five minutes that honest clocks may differ.
		{day9.Add(skew), day9, map[string]change.SignatureState{"valid": good, "from day 10": early, "to day 10": good, "revoked": good, "compromised": gone}},
		{day9.Add(skew + time.Second), day9, map[string]change.SignatureState{"valid": back, "from day 10": back, "to day 10": back, "revoked": back, "compromised": gone}},
		// The edges of the window: the start is in it, the end is not.
		{day(10), day(10), map[string]change.SignatureState{"valid": good, "from day 10": good, "to day 10": ended, "revoked": gone, "compromised": gone}},
		{day(10).Add(-time.Second), day(10), map[string]change.SignatureState{"valid": good, "from day 10": early, "to day 10": good, "revoked": gone, "compromised": gone}},
		{day(10).Add(-time.Second), day(10).Add(skew), map[string]change.SignatureState{"valid": good, "from day 10": early, "to day 10": back, "revoked": gone, "compromised": gone}},
	} {
		got := map[string]change.SignatureState{}
		for name, key := range keys {
			key.Format, key.Public = tier.SSH, p.public
			got[name] = keyringOf(t, map[string][]tier.Key{"alice": {key}}).VerifyCommit(payload, armour, c.claimed, c.seen).State
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("claimed %s, seen %s (-want +got):\n%s", stamp(c.claimed), stamp(c.seen), d)
		}
	}
}

// TestT41NoTimeNoAnswer: who cannot say when cannot be told Good.
func TestT41NoTimeNoAnswer(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}})
	in := Input{Namespace: GitNamespace, Payload: []byte("x"), Armour: p.sign(t, GitNamespace, []byte("x")), ClaimedAt: day(1), FirstSeen: day(1)}
	if got := k.Verify(in); got.State != change.Good {
		t.Fatalf("the full input is %s: %s", got.State, got.Detail)
	}
	for name, forget := range map[string]func(*Input){
		"namespace":  func(in *Input) { in.Namespace = "" },
		"claimed at": func(in *Input) { in.ClaimedAt = time.Time{} },
		"first seen": func(in *Input) { in.FirstSeen = time.Time{} },
	} {
		less := in
		forget(&less)
		if got := k.Verify(less); got.State != change.Unchecked || got.Principal != "" {
			t.Errorf("without %s: %+v", name, got)
		}
	}
}

// TestT42OnePersonTwoKeys: both keys are the same principal's, so a threshold counts one.
func TestT42OnePersonTwoKeys(t *testing.T) {
	a, b := newSSHPair(t, "ed25519"), newSSHPair(t, "p256")
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: a.public}, {Format: tier.SSH, Public: b.public + " laptop"}}})
	for _, p := range []sshPair{a, b} {
		if got := k.VerifyCommit([]byte("x"), p.sign(t, GitNamespace, []byte("x")), day(1), day(1)); got.Principal != "alice" {
			t.Errorf("principal %q, state %s", got.Principal, got.State)
		}
	}
}

// TestT42KeyOfTwoPeopleIsNobodys, in whatever spelling and order it is listed.
func TestT42KeyOfTwoPeopleIsNobodys(t *testing.T) {
	l := newLab(t)
	l.newPGP("shared", "ed25519", day(1), "0")
	armour, bare := l.exportPGP("shared"), string(l.run(nil, "gpg", "--armor", "--comment", "other spelling", "--export", "shared@example.com"))
	p := newSSHPair(t, "ed25519")
	padded := strings.Replace(p.public, " ", "  ", 1)
	payload := []byte("x")
	for name, c := range map[string]struct {
		first, second tier.Key
		signature     []byte
	}{
		"OpenPGP": {tier.Key{Format: tier.OpenPGP, Public: armour}, tier.Key{Format: tier.OpenPGP, Public: bare}, l.signPGP(day(2), "shared", payload)},
		"SSH":     {tier.Key{Format: tier.SSH, Public: p.public}, tier.Key{Format: tier.SSH, Public: padded}, p.sign(t, GitNamespace, payload)},
	} {
		if c.first.Public == c.second.Public {
			t.Fatalf("%s: the spellings do not differ", name)
		}
		for _, owners := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
			k, _ := NewKeyring(peopleOf(map[string][]tier.Key{owners[0]: {c.first}, owners[1]: {c.second}}))
			if got := k.VerifyCommit(payload, c.signature, day(2), day(2)); got.State != change.UnknownKey || got.Principal != "" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// TestT41SeveralListings: however often and in whatever spelling one person's key is listed, the
// narrower window holds and a revocation in any listing wins.
func TestT41SeveralListings(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	payload := []byte("x")
	armour := p.sign(t, GitNamespace, payload)
	l := newLab(t)
	l.newPGP("alice", "ed25519", day(1), "0")
	pgp := l.signPGP(day(7), "alice", payload)
	other := string(l.run(nil, "gpg", "--armor", "--comment", "other spelling", "--export", "alice@example.com"))
	for name, c := range map[string]struct {
		keys [2]tier.Key
		want change.SignatureState
	}{
		"in both windows":        {[2]tier.Key{{NotAfter: day(9)}, {NotBefore: day(5)}}, change.Good},
		"in one window":          {[2]tier.Key{{NotAfter: day(9)}, {NotAfter: day(6)}}, change.ExpiredKey},
		"in the other window":    {[2]tier.Key{{NotBefore: day(5)}, {NotBefore: day(8)}}, change.NotYetValid},
		"revoked in one":         {[2]tier.Key{{}, {RevokedAt: day(1)}}, change.RevokedKey},
		"compromised in one":     {[2]tier.Key{{}, {Compromised: true}}, change.RevokedKey},
		"the earlier revocation": {[2]tier.Key{{RevokedAt: day(20)}, {RevokedAt: day(3)}}, change.RevokedKey},
	} {
		for range 2 {
			slices.Reverse(c.keys[:])
			for kind, spelled := range map[string]struct {
				format        tier.KeyFormat
				first, second string
				armour        []byte
			}{
				"SSH":     {tier.SSH, p.public, p.public + " comment", armour},
				"OpenPGP": {tier.OpenPGP, l.exportPGP("alice"), other, pgp},
			} {
				a, b := c.keys[0], c.keys[1]
				a.Format, a.Public, b.Format, b.Public = spelled.format, spelled.first, spelled.format, spelled.second
				got := keyringOf(t, map[string][]tier.Key{"alice": {a, b}}).VerifyCommit(payload, spelled.armour, day(7), day(7))
				if got.State != c.want {
					t.Errorf("%s, %s: %s (%s), want %s", kind, name, got.State, got.Detail, c.want)
				}
			}
		}
	}
}

// TestT11FullFingerprints: a signature that names a key whose 64-bit id is that of a known key, but
// not its fingerprint, is by nobody.
func TestT11FullFingerprints(t *testing.T) {
	l := newLab(t)
	l.newPGP("alice", "ed25519", day(1), "0")
	payload := []byte("x")
	raw, err := decodeOpenPGP(l.signPGP(day(2), "alice", payload))
	if err != nil {
		t.Fatal(err)
	}
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.OpenPGP, Public: l.exportPGP("alice")}}})
	whole := l.pgpFingerprint("alice")
	var full []byte
	if _, err := fmt.Sscanf(whole, "%X", &full); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, full)
	if at < 0 {
		t.Fatal("the signature does not name its fingerprint")
	}
	raw[at] ^= 1 // far from the last eight bytes, which are the key id
	armour, err := encodeOpenPGP(raw)
	if err != nil {
		t.Fatal(err)
	}
	got := k.VerifyCommit(payload, armour, day(2), day(2))
	if got.State != change.UnknownKey || got.Fingerprint == whole || !strings.HasSuffix(got.Fingerprint, whole[24:]) {
		t.Errorf("got %+v", got)
	}
}

// TestT41CopiesOfOneCertificate: where two copies of one OpenPGP certificate differ, the shorter life
// and the revocation count, in whatever order they are listed.
func TestT41CopiesOfOneCertificate(t *testing.T) {
	l := newLab(t)
	payload := []byte("x")
	for name, c := range map[string]struct {
		alter func(fpr string)
		want  change.SignatureState
	}{
		"ended":   {func(fpr string) { l.gpg(day(2), nil, "--quick-set-expire", fpr, "20240105T000000") }, change.ExpiredKey},
		"revoked": {func(fpr string) { l.revokePGP(day(2), fpr) }, change.RevokedKey},
	} {
		l.newPGP(name, "ed25519", day(1), "0")
		before, armour := l.exportPGP(name), l.signPGP(day(10), name, payload)
		c.alter(l.pgpFingerprint(name))
		keys := []tier.Key{{Format: tier.OpenPGP, Public: before}, {Format: tier.OpenPGP, Public: l.exportPGP(name)}}
		if got := keyringOf(t, map[string][]tier.Key{"alice": keys[:1]}).VerifyCommit(payload, armour, day(10), day(10)); got.State != change.Good {
			t.Errorf("%s: the older copy alone says %s", name, got.State)
		}
		for range 2 {
			slices.Reverse(keys)
			if got := keyringOf(t, map[string][]tier.Key{"alice": keys}).VerifyCommit(payload, armour, day(10), day(10)); got.State != c.want {
				t.Errorf("%s: %s (%s), want %s", name, got.State, got.Detail, c.want)
			}
		}
	}
}

// TestT11NewerOpenPGP: version 6 is what gpg does not know, so git and we would differ.
func TestT11NewerOpenPGP(t *testing.T) {
	entity, err := openpgp.NewEntity("alice", "", "alice@example.com", &packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoEd25519})
	if err != nil {
		t.Fatal(err)
	}
	var public, raw bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err == nil {
		err = entity.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = openpgp.DetachSign(&raw, []*openpgp.Entity{entity}, strings.NewReader("x"), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"alice": {{Format: tier.OpenPGP, Public: public.String()}}}))
	if d := cmp.Diff([]string{"key 1 of alice: version 6 keys are not supported"}, problems); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	armour, err := encodeOpenPGP(raw.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := k.VerifyCommit([]byte("x"), armour, day(1), day(1)); got.State != change.Unsupported {
		t.Errorf("%s: %s", got.State, got.Detail)
	}
}

// TestProblems: keys that cannot be used are named by place, without a byte of the key.
func TestProblems(t *testing.T) {
	l := newLab(t)
	l.newPGP("one", "ed25519", day(1), "0")
	l.newPGP("two", "ed25519", day(1), "0")
	l.newPGP("weak", "rsa1024", day(1), "0")
	l.newPGP("brain", "brainpoolP256r1", day(1), "0")
	l.gpg(day(1), nil, "--quick-generate-key", "cert <cert@example.com>", "ed25519", "cert", "0")
	p := newSSHPair(t, "ed25519")
	secret := string(l.run(nil, "gpg", "--batch", "--armor", "--export-secret-keys", "one@example.com"))
	body := strings.Fields(p.public)[1]
	for name, c := range map[string]struct {
		key  tier.Key
		want string
	}{
		"options":          {tier.Key{Format: tier.SSH, Public: `expiry-time="20300101" ` + p.public}, "options are not supported; use notBefore, notAfter and revokedAt"},
		"two lines":        {tier.Key{Format: tier.SSH, Public: p.public + "\n" + p.public}, "more than one line"},
		"commented out":    {tier.Key{Format: tier.SSH, Public: "# " + p.public}, "not an SSH public key"},
		"type mismatch":    {tier.Key{Format: tier.SSH, Public: "ssh-rsa " + body}, "not an SSH public key"},
		"SSH certificate":  {tier.Key{Format: tier.SSH, Public: certificateOf(t, p)}, "keys of type ssh-ed25519-cert-v01@openssh.com are not supported"},
		"SSH as OpenPGP":   {tier.Key{Format: tier.OpenPGP, Public: p.public}, "not an armoured OpenPGP public key"},
		"two certificates": {tier.Key{Format: tier.OpenPGP, Public: string(l.run(nil, "gpg", "--armor", "--export", "one@example.com", "two@example.com"))}, "exactly one OpenPGP certificate is wanted"},
		"two blocks":       {tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("one") + l.exportPGP("two")}, "exactly one OpenPGP certificate is wanted"},
		"secret key":       {tier.Key{Format: tier.OpenPGP, Public: secret}, "this is a private key: take it out and treat it as compromised"},
		"RSA 1024":         {tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("weak")}, "an RSA key of 1024 bits, where 2048 to 8192 are accepted"},
		"brainpool":        {tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("brain")}, "keys on the curve BrainpoolP256 are not supported"},
		"certifies only":   {tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("cert")}, "no key that may sign"},
		"no format":        {tier.Key{Public: p.public}, "unknown format"},
	} {
		t.Run(name, func(t *testing.T) {
			k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"alice": {c.key}}))
			if d := cmp.Diff([]string{"key 1 of alice: " + c.want}, problems); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if len(k.ssh)+len(k.pgp) > 0 {
				t.Error("the key was taken all the same")
			}
		})
	}
}

func certificateOf(t *testing.T, p sshPair) string {
	t.Helper()
	cert := &ssh.Certificate{Key: p.raw.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(zeroes{}, p.raw); err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(cert))
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// panicKey stands for a library that panics on crafted bytes.
type panicKey struct{ ssh.PublicKey }

func (panicKey) Verify([]byte, *ssh.Signature) error { panic("canary-7f3a") }

// TestT20PanicIsNoSuccess: a panic in whatever stage is a bad signature that tells nothing.
func TestT20PanicIsNoSuccess(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	l := newLab(t)
	l.newPGP("alice", "ed25519", day(1), "0")
	payload := []byte("x")
	pgp := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.OpenPGP, Public: l.exportPGP("alice")}}})
	for _, key := range pgp.pgp {
		key.public = nil
	}
	secure := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}})
	for _, key := range secure.ssh {
		key.public = panicKey{key.public}
	}
	noHolder := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}})
	for id := range noHolder.ssh {
		noHolder.ssh[id] = nil
	}
	bySSH, byPGP := p.sign(t, GitNamespace, payload), l.signPGP(day(2), "alice", payload)
	for name, c := range map[string]struct {
		keyring *Keyring
		armour  []byte
	}{
		"verifying SSH":     {secure, bySSH},
		"verifying OpenPGP": {pgp, byPGP},
		"looking up":        {noHolder, bySSH},
		"no keyring":        {nil, bySSH},
	} {
		got := c.keyring.VerifyCommit(payload, c.armour, day(2), day(2))
		want := change.Signature{State: change.BadSignature, SignedAt: day(2), PayloadHash: got.PayloadHash, Detail: "internal: verifying it failed"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if k, problems := NewKeyring(tier.People{}); len(problems) > 0 || k.VerifyCommit(payload, bySSH, day(2), day(2)).State != change.UnknownKey {
		t.Error("an empty keyring knows somebody")
	}
}

// TestGoodSignature is all that a good one says.
func TestGoodSignature(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}})
	want := change.Signature{
		State: change.Good, Principal: "alice", Fingerprint: ssh.FingerprintSHA256(p.raw.PublicKey()), SignedAt: day(3),
		PayloadHash: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", // sha256sum of "hello"
	}
	if d := cmp.Diff(want, k.VerifyCommit([]byte("hello"), p.sign(t, GitNamespace, []byte("hello")), day(3), day(4))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestArmourWithoutLastLineBreak: the value of a header may have lost it.
func TestArmourWithoutLastLineBreak(t *testing.T) {
	p := newSSHPair(t, "ed25519")
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}})
	armour := bytes.TrimSuffix(p.sign(t, GitNamespace, []byte("x")), []byte("\n"))
	if got := k.VerifyCommit([]byte("x"), armour, day(1), day(1)); got.State != change.Good {
		t.Errorf("%s: %s", got.State, got.Detail)
	}
	long := append(bytes.Repeat([]byte("A"), maxArmour), armour...)
	if got := k.VerifyCommit([]byte("x"), long, day(1), day(1)); got.State != change.Malformed {
		t.Errorf("a long armour is %s", got.State)
	}
}
