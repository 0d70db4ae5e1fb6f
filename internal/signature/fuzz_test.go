package signature

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// seedPayload is what the seeds are signatures over.
const seedPayload = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.com> 1704888000 +0000\ncommitter A <a@example.com> 1704888000 +0000\n\nchange things\n"

// FuzzVerify: whatever the armour, the answer is sealed, and nothing but the very bytes that the key
// of alice made is good.
func FuzzVerify(f *testing.F) {
	alice := newSSHPair(f, "ed25519")
	l := newLab(f)
	l.newPGP("alice", "ed25519", day(1), "0")
	good := [][]byte{alice.sign(f, GitNamespace, []byte(seedPayload)), l.signPGP(day(10), "alice", []byte(seedPayload))}
	for _, armour := range good {
		f.Add(armour)
		f.Add(append(armour[:len(armour):len(armour)], armour...))
		f.Add(armour[:len(armour)/2])
		f.Add(append([]byte("x\n"), armour...))
	}
	if raw, err := decodeSSH(good[0]); err == nil {
		f.Add(raw)
	}
	if raw, err := decodeOpenPGP(good[1]); err == nil {
		f.Add(raw)
	}
	f.Add([]byte(sshBegin + sshEnd))
	f.Add([]byte(pgpBegin + "\n" + pgpEnd))
	f.Add([]byte("-----BEGIN SIGNED MESSAGE-----\n"))
	k, problems := NewKeyring(peopleOf(map[string][]tier.Key{
		"alice": {{Format: tier.SSH, Public: alice.public}, {Format: tier.OpenPGP, Public: l.exportPGP("alice")}},
	}))
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, armour []byte) {
		// The bytes within an armour are fuzzed as well, since its checksum hides them from chance.
		for _, whole := range armoured(armour) {
			if got := k.VerifyCommit([]byte(seedPayload+"x"), whole, day(10), day(10)); got.State == change.Good || strings.Contains(got.Detail, "internal") {
				t.Errorf("%s (%s) over bytes that nobody signed: %q", got.State, got.Detail, armour)
			}
			if got := k.VerifyCommit([]byte(seedPayload), whole, day(10), day(10)); (got.Principal == "alice") != (got.State == change.Good) {
				t.Errorf("not sealed: %+v", got)
			}
		}
		got := k.VerifyCommit([]byte(seedPayload), armour, day(10), day(10))
		if strings.Contains(got.Detail, "internal") {
			t.Errorf("a library panicked over %q", armour)
		}
		if (got.Principal == "alice") != (got.State == change.Good) || got.State == change.Unchecked {
			t.Errorf("not sealed: %+v", got)
		}
		if bad := k.VerifyCommit([]byte(seedPayload+"x"), armour, day(10), day(10)); bad.State == change.Good {
			t.Errorf("good over bytes that nobody signed: %q", armour)
		}
		if got.State == change.Good && bytes.Count(armour, []byte("-----BEGIN ")) != 1 {
			t.Errorf("good with more or less than one block: %q", armour)
		}
	})
}

// armoured are the signatures of both formats that hold these bytes.
func armoured(raw []byte) [][]byte {
	pgp, err := encodeOpenPGP(raw)
	if err != nil {
		return nil
	}
	return [][]byte{pgp, pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: raw})}
}

// FuzzKeyring: reading keys never panics, never takes what it cannot name, and never echoes a key.
func FuzzKeyring(f *testing.F) {
	l := newLab(f)
	l.newPGP("alice", "ed25519", day(1), "0")
	f.Add(newSSHPair(f, "ed25519").public)
	f.Add("expiry-time=\"20300101\" " + newSSHPair(f, "p256").public)
	f.Add(l.exportPGP("alice"))
	f.Fuzz(func(t *testing.T, public string) {
		for _, format := range []tier.KeyFormat{tier.SSH, tier.OpenPGP} {
			k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"alice": {{Format: format, Public: public}}}))
			for _, p := range problems {
				if strings.Contains(p, "internal") {
					t.Errorf("a library panicked over %q", public)
				}
				if len(p) > 200 {
					t.Errorf("a problem tells too much: %q", p)
				}
			}
			for fpr := range k.pgp {
				if len(fpr) != 40 {
					t.Errorf("a key with the fingerprint %q", fpr)
				}
			}
		}
	})
}

// BenchmarkVerify is one signature, by us and by git verify-commit, which starts a
// process or two. Bar: 0.1 ms each by us.
func BenchmarkVerify(b *testing.B) {
	l := newLab(b)
	payload := commitAt(day(10))
	l.newPGP("alice", "ed25519", day(1), "0")
	l.newPGP("bob", "rsa3072", day(1), "0")
	ed, ec, rsa := newSSHPair(b, "ed25519"), newSSHPair(b, "p256"), newSSHPair(b, "rsa2048")
	for _, c := range []struct {
		name   string
		key    tier.Key
		armour []byte
	}{
		{"SSH-ed25519", tier.Key{Format: tier.SSH, Public: ed.public}, ed.sign(b, GitNamespace, payload)},
		{"SSH-p256", tier.Key{Format: tier.SSH, Public: ec.public}, ec.sign(b, GitNamespace, payload)},
		{"SSH-rsa2048", tier.Key{Format: tier.SSH, Public: rsa.public}, rsa.sign(b, GitNamespace, payload)},
		{"OpenPGP-ed25519", tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("alice")}, l.signPGP(day(10), "alice", payload)},
		{"OpenPGP-rsa3072", tier.Key{Format: tier.OpenPGP, Public: l.exportPGP("bob")}, l.signPGP(day(10), "bob", payload)},
	} {
		k, problems := NewKeyring(peopleOf(map[string][]tier.Key{"alice": {c.key}}))
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		b.Run("fairway/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := k.VerifyCommit(payload, c.armour, day(10), day(10).Add(time.Hour)); got.State != change.Good {
					b.Fatal(got)
				}
			}
		})
		var settings []string
		if c.key.Format == tier.SSH {
			settings = []string{"gpg.format=ssh", "gpg.ssh.allowedSignersFile=" + l.write("allowed", "alice "+c.key.Public+"\n")}
		}
		id := l.store(payload, c.armour)
		b.Run("git/"+c.name, func(b *testing.B) {
			for b.Loop() {
				if ok, said := l.gitAccepts(id, settings...); !ok {
					b.Fatal(said)
				}
			}
		})
	}
}
