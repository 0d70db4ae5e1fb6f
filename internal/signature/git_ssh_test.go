package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// sshCase is one row of the comparison with git. Why is given exactly where git accepts what we
// refuse.
type sshCase struct {
	name    string
	options string // of the allowed_signers line
	revoked bool   // the key stands in git's revocation file
	key     tier.Key
	armour  func(payload []byte) []byte
	payload []byte // stored instead of the one that was signed
	seen    time.Time
	git     bool
	ours    change.SignatureState
	why     string
}

// TestT11SSHAgainstGit compares with git verify-commit. What git refuses is never Good here, and
// where we refuse more the row says why.
func TestT11SSHAgainstGit(t *testing.T) {
	l := newLab(t)
	alice, mallory := newSSHPair(t, "ed25519"), newSSHPair(t, "ed25519")
	committed := day(10)
	payload := commitAt(committed)
	good := alice.sign(t, GitNamespace, payload)
	signed := func(armour []byte) func([]byte) []byte { return func([]byte) []byte { return armour } }
	with := func(k tier.Key) tier.Key { k.Format, k.Public = tier.SSH, alice.public; return k }
	plain := with(tier.Key{})
	other := func(p sshPair) tier.Key { return tier.Key{Format: tier.SSH, Public: p.public} }

	cases := []sshCase{
		{name: "good ed25519", key: plain, armour: signed(good), git: true, ours: change.Good},
		{name: "made by ssh-keygen", key: plain, armour: func(p []byte) []byte {
			return l.run(p, "ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", l.write("alice", string(alice.file)))
		}, git: true, ours: change.Good},
		{name: "unsigned", key: plain, armour: signed(nil), ours: change.Unsigned},
		{name: "tampered payload", key: plain, armour: signed(good), payload: commitAt(day(9)), ours: change.BadSignature},
		{name: "wrong namespace", key: plain, armour: func(p []byte) []byte { return alice.sign(t, "file", p) }, ours: change.BadSignature},
		{name: "approval namespace", key: plain, armour: func(p []byte) []byte { return alice.sign(t, "fairway-approval", p) }, ours: change.BadSignature},
		{name: "other person's key", key: other(mallory), armour: signed(good), ours: change.UnknownKey},
		{name: "key ended before", options: `valid-before="20240109"`, key: with(tier.Key{NotAfter: day(9)}), armour: signed(good), ours: change.ExpiredKey},
		{name: "key not yet valid", options: `valid-after="20240111"`, key: with(tier.Key{NotBefore: day(11)}), armour: signed(good), ours: change.NotYetValid},
		{name: "inside the window", options: `valid-after="20240109",valid-before="20240111"`, key: with(tier.Key{NotBefore: day(9), NotAfter: day(11)}), armour: signed(good), git: true, ours: change.Good},
		{name: "revoked", revoked: true, key: with(tier.Key{Compromised: true}), armour: signed(good), ours: change.RevokedKey},
		{name: "back-dated", options: `valid-before="20240111"`, key: with(tier.Key{NotAfter: day(11)}), armour: signed(good), seen: day(20), git: true, ours: change.BackDated,
			why: "git believes the committer date, which a thief of an ended key chooses"},
		{name: "claims the future", key: plain, armour: signed(good), seen: committed.Add(-time.Hour), git: true, ours: change.BackDated,
			why: "git does not know when a commit was first seen"},
		{name: "revoked later, seen after", key: with(tier.Key{RevokedAt: day(12)}), armour: signed(good), seen: day(13), git: true, ours: change.RevokedKey,
			why: "git knows revocation for ever or not at all; the row has no revocation file"},
		{name: "revoked later, seen before", key: with(tier.Key{RevokedAt: day(12)}), armour: signed(good), git: true, ours: change.Good},
		{name: "text before", key: plain, armour: signed([]byte("hello\n" + string(good))), ours: change.Malformed},
		{name: "text after", key: plain, armour: signed([]byte(string(good) + "hello\n")), git: true, ours: change.Malformed,
			why: "bytes that nobody signed would change the commit's id"},
		{name: "two blocks, own first", key: plain, armour: func(p []byte) []byte { return append(good[:len(good):len(good)], mallory.sign(t, GitNamespace, p)...) },
			git: true, ours: change.Malformed, why: "whose signature it is must not depend on who reads it"},
		{name: "two blocks, own last", key: plain, armour: func(p []byte) []byte { return append(mallory.sign(t, GitNamespace, p), good...) }, ours: change.Malformed},
		{name: "blank line at the end", key: plain, armour: signed([]byte(string(good) + "\n")), git: true, ours: change.Malformed,
			why: "bytes that nobody signed would change the commit's id"},
		{name: "blank line within", key: plain, armour: signed([]byte(strings.Replace(string(good), "U1N", "\nU1N", 1))), git: true, ours: change.Malformed,
			why: "the armour has one spelling"},
		{name: "carriage returns", key: plain, armour: signed([]byte(strings.ReplaceAll(string(good), "\n", "\r\n"))), ours: change.Malformed},
		{name: "a carriage return", key: plain, armour: signed([]byte(strings.Replace(string(good), "U1N", "U1\rN", 1))), git: true, ours: change.Malformed,
			why: "the armour has one spelling"},
		{name: "trailing space", key: plain, armour: signed([]byte(strings.Replace(string(good), "-----END", " \n-----END", 1))), git: true, ours: change.Malformed,
			why: "the armour has one spelling"},
		{name: "truncated armour", key: plain, armour: signed(good[:len(good)/2]), ours: change.Malformed},
		{name: "truncated base64", key: plain, armour: signed([]byte(sshBegin + "U1NIU0lHAAAAAQAAADMAAAAL\n" + sshEnd + "\n")), ours: change.Malformed},
		{name: "empty armour", key: plain, armour: signed([]byte(sshBegin + sshEnd + "\n")), ours: change.Malformed},
		{name: "not an armour", key: plain, armour: signed([]byte("hello\n")), ours: change.Malformed},
	}
	for _, kind := range []string{"p256", "p521", "rsa2048"} {
		p := newSSHPair(t, kind)
		cases = append(cases, sshCase{name: "good " + kind, key: other(p), armour: func(b []byte) []byte { return p.sign(t, GitNamespace, b) }, git: true, ours: change.Good})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, l, payload, committed) })
	}
}

func (c sshCase) run(t *testing.T, l *lab, payload []byte, committed time.Time) {
	armour := c.armour(payload)
	if c.payload != nil {
		payload = c.payload
	}
	line := "alice "
	if c.options != "" {
		line += c.options + " "
	}
	settings := []string{"gpg.format=ssh", "gpg.ssh.allowedSignersFile=" + l.write("allowed", line+c.key.Public+"\n")}
	if c.revoked {
		settings = append(settings, "gpg.ssh.revocationFile="+l.write("revoked", c.key.Public+"\n"))
	}
	accepts, said := l.gitAccepts(l.store(payload, armour), settings...)
	if accepts != c.git {
		t.Errorf("git accepts: %v, want %v\n%s", accepts, c.git, said)
	}
	seen := c.seen
	if seen.IsZero() {
		seen = committed.Add(time.Hour)
	}
	got := keyringOf(t, map[string][]tier.Key{"alice": {c.key}}).VerifyCommit(payload, armour, committed, seen)
	compare(t, got, c.ours, accepts, c.why)
}

// compare holds one row: our answer, the principal only for Good, nothing accepted that git
// refuses, and a reason exactly where we are stricter.
func compare(t *testing.T, got change.Signature, want change.SignatureState, git bool, why string) {
	t.Helper()
	if got.State != want {
		t.Errorf("state %s (%s), want %s", got.State, got.Detail, want)
	}
	if (got.Principal != "") != (got.State == change.Good) {
		t.Errorf("principal %q for state %s", got.Principal, got.State)
	}
	if (got.Detail == "") != (got.State == change.Good) {
		t.Errorf("detail %q for state %s", got.Detail, got.State)
	}
	if stricter := git && got.State != change.Good; stricter != (why != "") {
		t.Errorf("stricter than git: %v, but the row says why: %q", stricter, why)
	}
	if got.State == change.Good && !git {
		t.Error("accepted what git refuses")
	}
}

// TestT11SSHWeakAndForeignKeys: what a Keyring does not take at all.
func TestT11SSHWeakAndForeignKeys(t *testing.T) {
	l := newLab(t)
	payload := commitAt(day(10))

	t.Run("RSA of 1024 bits", func(t *testing.T) {
		p := newSSHPair(t, "rsa1024")
		armour := p.sign(t, GitNamespace, payload)
		k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: p.public}}}))
		if len(problems) != 1 || !strings.Contains(problems[0], "1024 bits") {
			t.Errorf("problems %q", problems)
		}
		git, _ := l.gitAccepts(l.store(payload, armour), "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+l.write("allowed", "alice "+p.public+"\n"))
		compare(t, k.VerifyCommit(payload, armour, day(10), day(10)), change.UnknownKey, git, "1024 bits are weak")
	})

	t.Run("certificate", func(t *testing.T) {
		authority, alice := newSSHPair(t, "ed25519"), newSSHPair(t, "ed25519")
		cert := &ssh.Certificate{
			Key: alice.raw.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"alice"}, KeyId: "alice",
			ValidAfter: uint64(day(1).Unix()), ValidBefore: ssh.CertTimeInfinity,
		}
		if err := cert.SignCert(rand.Reader, authority.raw); err != nil {
			t.Fatal(err)
		}
		raw, err := ssh.NewCertSigner(cert, alice.raw)
		if err != nil {
			t.Fatal(err)
		}
		armour, err := signSSH(raw, GitNamespace, payload)
		if err != nil {
			t.Fatal(err)
		}
		git, said := l.gitAccepts(l.store(payload, armour), "gpg.format=ssh",
			"gpg.ssh.allowedSignersFile="+l.write("allowed", "alice cert-authority "+authority.public+"\n"))
		if !git {
			t.Errorf("git refuses: %s", said)
		}
		k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: alice.public}}})
		compare(t, k.VerifyCommit(payload, armour, day(10), day(10)), change.Unsupported, git, "who the authority certified is not ours to follow")
	})
}

// TestT11SecurityKeyWantsTouch uses a security key made of software: its signature counts only with
// the user-presence flag, and nothing may follow the counter.
func TestT11SecurityKeyWantsTouch(t *testing.T) {
	l := newLab(t)
	payload := commitAt(day(10))
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wire := ssh.Marshal(struct {
		Type        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, public, "ssh:"})
	pub, err := ssh.ParsePublicKey(wire)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
	k := keyringOf(t, map[string][]tier.Key{"alice": {{Format: tier.SSH, Public: line}}})
	for _, c := range []struct {
		name  string
		flags byte
		extra string
		git   bool
		want  change.SignatureState
		why   string
	}{
		{name: "touched", flags: 1, git: true, want: change.Good},
		{name: "touched and verified by PIN", flags: 5, git: true, want: change.Good},
		{name: "not touched", flags: 0, git: true, want: change.BadSignature, why: "malware on the machine could sign alone"},
		{name: "bytes after the counter", flags: 1, extra: "x", want: change.BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			armour, err := signSSH(softToken{pub, private, c.flags, c.extra}, GitNamespace, payload)
			if err != nil {
				t.Fatal(err)
			}
			git, said := l.gitAccepts(l.store(payload, armour), "gpg.format=ssh", "gpg.ssh.allowedSignersFile="+l.write("allowed", "alice "+line+"\n"))
			if git != c.git {
				t.Errorf("git accepts %v, want %v\n%s", git, c.git, said)
			}
			compare(t, k.VerifyCommit(payload, armour, day(10), day(10)), c.want, git, c.why)
		})
	}
	if _, problems := NewKeyring(peopleOf(map[string][]tier.Key{"a": {{Format: tier.SSH, Public: "no-touch-required " + line}}})); len(problems) != 1 {
		t.Errorf("a key that asks for no touch was taken: %q", problems)
	}
}

// softToken signs as a FIDO token does (PROTOCOL.u2f).
type softToken struct {
	public  ssh.PublicKey
	private ed25519.PrivateKey
	flags   byte
	extra   string
}

func (s softToken) PublicKey() ssh.PublicKey { return s.public }

func (s softToken) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	app, msg := sha256.Sum256([]byte("ssh:")), sha256.Sum256(data)
	rest := binary.BigEndian.AppendUint32([]byte{s.flags}, 7)
	blob := append(append(app[:], rest...), msg[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(s.private, blob), Rest: append(rest, s.extra...)}, nil
}
