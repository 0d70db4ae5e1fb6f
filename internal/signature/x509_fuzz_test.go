package signature

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// FuzzX509: whatever the message, the answer is sealed, no library panics, and nothing is good over
// bytes that nobody signed. What is read has one spelling.
func FuzzX509(f *testing.F) {
	w := newX509World(f)
	f.Add(forge{payload: []byte(seedPayload), by: w.ada, at: day(10)}.make(f))
	f.Add(forge{payload: []byte(seedPayload), by: w.ada, at: day(10), streamed: true}.make(f))
	f.Add(forge{payload: []byte(seedPayload), by: w.low, at: day(10), with: []*bearer{w.between}}.make(f))
	f.Add(forge{payload: []byte(seedPayload), by: w.ada, at: day(10), unsigned: anyEntry, crls: true}.make(f))
	k := keyringOf(f, map[string][]tier.Key{"alice": {{Format: tier.X509, Public: w.root.pem(), Identity: "ada@example.com"}}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := k.VerifyCommit([]byte(seedPayload), armourX509(raw), day(10), day(10))
		if (got.Principal == "alice") != (got.State == change.Good) || got.State == change.Unchecked || strings.Contains(got.Detail, "internal") {
			t.Errorf("not sealed, or a panic: %+v", got)
		}
		if bad := k.VerifyCommit([]byte(seedPayload+"x"), armourX509(raw), day(10), day(10)); bad.State == change.Good {
			t.Errorf("good over bytes that nobody signed: %x", raw)
		}
		m, err := parseCMS(raw)
		if err != nil {
			return
		}
		if again, err := parseCMS(m.der); err != nil || !bytes.Equal(again.der, m.der) || again.signer == nil || !again.signedAt.Equal(m.signedAt) {
			t.Errorf("DER that reads otherwise than its streamed form: %x", raw)
		}
	})
}

// FuzzX509Keyring: reading an authority never panics and never echoes what it read.
func FuzzX509Keyring(f *testing.F) {
	f.Add(issue(f, nil, 1, asAuthority("root")).pem(), "ada@example.com", "04")
	f.Add(issue(f, nil, 2).pem(), "ada@example.com", "")
	f.Fuzz(func(t *testing.T, public, identity, serial string) {
		_, problems := NewKeyring(peopleOf(map[string][]tier.Key{"ada": {{
			Format: tier.X509, Public: public, Identity: identity, RevokedSerials: []string{serial},
		}}}))
		for _, p := range problems {
			if strings.Contains(p, "internal") || len(p) > 200 {
				t.Errorf("a panic, or a problem that tells too much: %q", p)
			}
		}
	})
}
