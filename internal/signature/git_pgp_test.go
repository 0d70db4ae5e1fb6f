package signature

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// pgpCase is one row of the comparison with git and gpg.
type pgpCase struct {
	name    string
	armour  []byte
	payload []byte    // nil: the one that was signed
	key     tier.Key  // as listed; Public is set from whose
	whose   string    // name of the key in the lab's keyring
	claimed time.Time // zero: day 10
	seen    time.Time // zero: an hour after day 10
	git     bool
	ours    change.SignatureState
	why     string // where git accepts what we refuse
	later   string // where git 2.39 refuses what we accept, and later gits accept
}

// TestT11OpenPGPAgainstGit compares with git verify-commit, which asks gpg. What git refuses is never
// Good here, but for one row that git has answered as we do since 2.54; and where we refuse more the
// row says why.
func TestT11OpenPGPAgainstGit(t *testing.T) {
	l := newLab(t)
	payload := commitAt(day(10))
	l.newPGP("alice", "ed25519", day(1), "0")
	l.newPGP("bob", "rsa2048", day(1), "0")
	l.newPGP("mallory", "ed25519", day(1), "0")
	sign := func(who string, args ...string) []byte { return l.signPGP(day(10), who, payload, args...) }
	good := sign("alice")
	text := func(armour []byte, old, by string) []byte { return []byte(strings.Replace(string(armour), old, by, 1)) }

	cases := []pgpCase{
		{name: "good ed25519", whose: "alice", armour: good, git: true, ours: change.Good},
		{name: "good RSA", whose: "bob", armour: sign("bob"), git: true, ours: change.Good},
		{name: "good with SHA-256", whose: "bob", armour: sign("bob", "--digest-algo", "SHA256"), git: true, ours: change.Good},
		{name: "armour with headers", whose: "alice", armour: sign("alice", "--emit-version", "--comment", "hello"), git: true, ours: change.Good},
		{name: "harmless notation", whose: "alice", armour: sign("alice", "--sig-notation", "x@example.com=y"), git: true, ours: change.Good},
		{name: "armour line in a header", whose: "alice", armour: text(good, "\n\n", "\nComment: -----BEGIN PGP SIGNATURE-----\n\n"), git: true, ours: change.Malformed,
			why: "readers differ about where the block begins"},
		{name: "tampered payload", whose: "alice", armour: good, payload: commitAt(day(9)), ours: change.BadSignature},
		{name: "text before", whose: "alice", armour: []byte("hello\n" + string(good)), ours: change.Malformed},
		{name: "text after", whose: "alice", armour: []byte(string(good) + "hello\n"), git: true, ours: change.Malformed,
			why: "bytes that nobody signed would change the commit's id"},
		{name: "blank line at the end", whose: "alice", armour: []byte(string(good) + "\n"), git: true, ours: change.Malformed,
			why: "bytes that nobody signed would change the commit's id"},
		{name: "two blocks", whose: "alice", armour: append(good[:len(good):len(good)], sign("mallory")...), ours: change.Malformed},
		{name: "two blocks of one person", whose: "alice", armour: append(good[:len(good):len(good)], good...), ours: change.Malformed},
		{name: "two signatures in one block", whose: "alice", armour: sign("alice", "--local-user", "mallory@example.com"), ours: change.Malformed},
		{name: "wrong checksum", whose: "alice", armour: wrongChecksum(good), ours: change.Malformed},
		{name: "no checksum", whose: "bob", armour: noChecksum(sign("bob")), ours: change.Malformed},
		{name: "carriage returns", whose: "alice", armour: []byte(strings.ReplaceAll(string(good), "\n", "\r\n")), git: true, ours: change.Malformed,
			why: "git takes them out when it signs, so only a crafted commit has them"},
		{name: "truncated armour", whose: "alice", armour: good[:len(good)/2], ours: change.Malformed},
		{name: "truncated packet", whose: "alice", armour: []byte(pgpBegin + "\niHUEABYKAB0W\n" + pgpEnd + "\n"), ours: change.Malformed},
		{name: "no blank line", whose: "alice", armour: text(good, "\n\n", "\n"), ours: change.Malformed},
		{name: "text mode", whose: "alice", armour: sign("alice", "--textmode"), git: true, ours: change.Unsupported,
			why: "one signature over several spellings of the line ends"},
		{name: "SHA-1", whose: "bob", armour: sign("bob", "--digest-algo", "SHA1"), git: true, ours: change.Unsupported, why: "SHA-1 collides"},
		{name: "SHA-384", whose: "bob", armour: sign("bob", "--digest-algo", "SHA384"), git: true, ours: change.Unsupported,
			why: "only the hashes that SSH signatures know too"},
		{name: "made for an approval", whose: "alice", armour: sign("alice", "--sig-notation", NamespaceNotation+"=fairway-approval"), git: true, ours: change.BadSignature,
			why: "OpenPGP knows no namespaces and git knows not ours"},
		{name: "critical notation", whose: "alice", armour: sign("alice", "--sig-notation", "!x@example.com=y"), ours: change.Unsupported},
		{name: "back-dated", whose: "alice", armour: good, key: tier.Key{NotAfter: day(11)}, seen: day(20), git: true, ours: change.BackDated,
			why: "git does not know when a commit was first seen"},
		{name: "committer date outside the window", whose: "alice", armour: good, key: tier.Key{NotBefore: day(9)}, claimed: day(8), git: true, ours: change.NotYetValid,
			why: "gpg knows no windows but the key's own"},
		{name: "revoked in the list", whose: "alice", armour: good, key: tier.Key{RevokedAt: day(5)}, git: true, ours: change.RevokedKey,
			why: "gpg knows no list of ours"},
	}
	cases = append(cases, agingCases(l, payload)...)
	// A signature that lives for a day, made today so that git still accepts it.
	now := time.Now().UTC()
	cases = append(cases, pgpCase{name: "signature that expires", whose: "alice", armour: l.signPGP(now, "alice", payload, "--default-sig-expire", "2d"),
		claimed: now, seen: now, git: true, ours: change.Unsupported, why: "its answer would change with time"})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, l, payload, l.exportPGP(c.whose)) })
	}
	t.Run("key removed", func(t *testing.T) {
		got := keyringOf(t, nil).VerifyCommit(payload, good, day(10), day(10))
		compare(t, got, change.UnknownKey, false, "")
		if got.Fingerprint != l.pgpFingerprint("alice") {
			t.Errorf("fingerprint %q, want %q", got.Fingerprint, l.pgpFingerprint("alice"))
		}
	})
}

// agingCases are keys that ended, were revoked or have subkeys.
func agingCases(l *lab, payload []byte) []pgpCase {
	// The key ended on day 15; the commit is of day 10.
	l.newPGP("ended", "ed25519", day(1), "2024-01-15")
	before := l.signPGP(day(10), "ended", payload)
	// The key was cut short after it had signed: it ended on day 5, the signature is of day 10.
	l.newPGP("cut", "ed25519", day(1), "0")
	after := l.signPGP(day(10), "cut", payload)
	l.gpg(day(2), nil, "--quick-set-expire", l.pgpFingerprint("cut"), "20240105T000000")
	// The signature is older than its key.
	l.newPGP("young", "ed25519", day(20), "0")
	early := l.signPGP(day(10), "young", payload, "--ignore-time-conflict", "--ignore-valid-from")
	// Revoked by its owner after it had signed.
	l.newPGP("revoked", "ed25519", day(1), "0")
	old := l.signPGP(day(10), "revoked", payload)
	l.revokePGP(day(12), l.pgpFingerprint("revoked"))
	// A primary key that certifies only, with a subkey that signs; and one whose subkey was cut short.
	subkeys := map[string][]byte{}
	for _, name := range []string{"sub", "late"} {
		l.gpg(day(1), nil, "--quick-generate-key", name+" <"+name+"@example.com>", "ed25519", "cert", "0")
		l.gpg(day(1), nil, "--quick-add-key", l.pgpFingerprint(name), "ed25519", "sign", "0")
		subkeys[name] = l.signPGP(day(10), name, payload)
	}
	l.gpg(day(2), nil, "--quick-set-expire", l.pgpFingerprint("late"), "20240105T000000", "*")
	return []pgpCase{
		{name: "key ended later", whose: "ended", armour: before, ours: change.Good,
			later: "git 2.54 and later accept what was signed while the key was valid"},
		{name: "key ended later, first seen after", whose: "ended", armour: before, seen: day(16), ours: change.BackDated},
		{name: "key ended before", whose: "cut", armour: after, ours: change.ExpiredKey},
		{name: "signature older than its key", whose: "young", armour: early, ours: change.NotYetValid},
		{name: "revoked", whose: "revoked", armour: old, ours: change.RevokedKey},
		{name: "subkey", whose: "sub", armour: subkeys["sub"], git: true, ours: change.Good},
		{name: "subkey ended before", whose: "late", armour: subkeys["late"], ours: change.ExpiredKey},
	}
}

func (c pgpCase) run(t *testing.T, l *lab, payload []byte, public string) {
	if c.payload != nil {
		payload = c.payload
	}
	if c.claimed.IsZero() {
		c.claimed = day(10)
	}
	if c.seen.IsZero() {
		c.seen = day(10).Add(time.Hour)
	}
	git, said := l.gitAccepts(l.store(payload, c.armour))
	if git != c.git {
		t.Errorf("git accepts: %v, want %v\n%s", git, c.git, said)
	}
	c.key.Format, c.key.Public = tier.OpenPGP, public
	got := keyringOf(t, map[string][]tier.Key{"alice": {c.key}}).VerifyCommit(payload, c.armour, c.claimed, c.seen)
	compare(t, got, c.ours, git || c.later != "", c.why)
	if git && c.later != "" {
		t.Errorf("git accepts now, so there is no difference left: %s", c.later)
	}
}

func wrongChecksum(armour []byte) []byte {
	bad := slices.Clone(armour)
	copy(bad[bytes.LastIndex(bad, []byte("\n="))+2:], "AAAA")
	return bad
}

func noChecksum(armour []byte) []byte {
	at := bytes.LastIndex(armour, []byte("\n="))
	return slices.Concat(armour[:at], armour[at+6:])
}
