package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

func words(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }

// TestSignersAgainstVerifier: whatever a Signer can be made of, Keyring and git believe its
// signatures for what they were made for and for nothing else.
func TestSignersAgainstVerifier(t *testing.T) {
	l := newLab(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := sshPairOf(t, private)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("opensesame"))
	if err != nil {
		t.Fatal(err)
	}
	serveAgent(t, l, private)
	l.newPGP("open", "ed25519", day(1), "0")
	l.newPGP("rsa", "rsa2048", day(1), "0")
	l.run(nil, "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "opensesame", "--quick-generate-key", "locked <locked@example.com>", "ed25519", "sign", "0")
	now := time.Now().UTC() // after the keys were made; a Signer signs by the real clock
	secret := func(name, pass string) string {
		return string(l.run(nil, "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", pass, "--armor", "--export-secret-keys", name+"@example.com"))
	}
	ssh := func() tier.Key { return tier.Key{Format: tier.SSH, Public: plain.public} }
	pgp := func(name string) tier.Key { return tier.Key{Format: tier.OpenPGP, Public: l.exportPGP(name)} }

	for name, c := range map[string]struct {
		file       string
		passphrase func() ([]byte, error)
		key        tier.Key
	}{
		"SSH private key":           {string(plain.file), nil, ssh()},
		"SSH key with passphrase":   {string(pem.EncodeToMemory(block)), words("opensesame"), ssh()},
		"SSH public key and agent":  {plain.public + " alice@laptop\n", nil, ssh()},
		"OpenPGP key":               {secret("open", ""), nil, pgp("open")},
		"OpenPGP RSA key":           {secret("rsa", ""), nil, pgp("rsa")},
		"OpenPGP key with password": {secret("locked", "opensesame"), words("opensesame"), pgp("locked")},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := LoadSigner(l.write("key", c.file), c.passphrase)
			if err != nil {
				t.Fatal(err)
			}
			k := keyringOf(t, map[string][]tier.Key{"alice": {c.key}})
			payload := commitAt(now)
			for _, namespace := range []string{GitNamespace, "fairway-approval"} {
				armour, err := s.Sign(namespace, payload)
				if err != nil {
					t.Fatal(err)
				}
				for _, asked := range []string{GitNamespace, "fairway-approval", "fairway-breakglass"} {
					got := k.VerifyStatement(asked, payload, armour, now, now)
					want := change.BadSignature
					if asked == namespace {
						want = change.Good
					}
					if got.State != want || got.Fingerprint != s.Fingerprint() {
						t.Errorf("made for %s, asked for %s: %s (%s) by %s, want %s by %s", namespace, asked, got.State, got.Detail, got.Fingerprint, want, s.Fingerprint())
					}
				}
			}
			armour, err := s.Sign(GitNamespace, payload)
			if err != nil {
				t.Fatal(err)
			}
			var settings []string
			if c.key.Format == tier.SSH {
				settings = []string{"gpg.format=ssh", "gpg.ssh.allowedSignersFile=" + l.write("allowed", "alice "+c.key.Public+"\n")}
			}
			if ok, said := l.gitAccepts(l.store(payload, armour), settings...); !ok {
				t.Errorf("git refuses what we signed: %s", said)
			}
		})
	}
}

// serveAgent runs an agent that holds one key and names it in the environment.
func serveAgent(t *testing.T, l *lab, private ed25519.PrivateKey) {
	t.Helper()
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: &private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(l.dir, "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
}

// TestLoadSignerErrors: each says what to do, and none holds a secret.
func TestLoadSignerErrors(t *testing.T) {
	l := newLab(t)
	pair, other := newSSHPair(t, "ed25519"), newSSHPair(t, "ed25519")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("opensesame"))
	if err != nil {
		t.Fatal(err)
	}
	locked := string(pem.EncodeToMemory(block))
	l.run(nil, "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "opensesame", "--quick-generate-key", "locked <locked@example.com>", "ed25519", "sign", "0")
	pgp := string(l.run(nil, "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "opensesame", "--armor", "--export-secret-keys", "locked@example.com"))
	serveAgent(t, l, private)

	for name, c := range map[string]struct {
		file       string
		passphrase func() ([]byte, error)
		want       string
	}{
		"weak RSA":               {string(newSSHPair(t, "rsa1024").file), nil, "an RSA key of 1024 bits, where 2048 to 8192 are accepted"},
		"locked, nobody asked":   {locked, nil, "the key is protected by a passphrase and there is none"},
		"locked, wrong words":    {locked, words("canary-3b1c"), "not an SSH private key that this program can use"},
		"locked, nothing said":   {locked, func() ([]byte, error) { return nil, errors.New("interrupted") }, "interrupted"},
		"OpenPGP, nobody asked":  {pgp, nil, "the key is protected by a passphrase and there is none"},
		"OpenPGP, wrong words":   {pgp, words("canary-3b1c"), "the passphrase does not open the key"},
		"OpenPGP public key":     {l.exportPGP("locked"), nil, "not an SSH private key that this program can use"},
		"cut":                    {string(pair.file[:60]), nil, "not an SSH private key that this program can use"},
		"empty":                  {"", nil, "not an SSH public key"},
		"longer than a key":      {strings.Repeat("x", maxKeyFile+1), nil, "longer than 1 MiB"},
		"OpenPGP armour, broken": {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n", nil, "not an armoured OpenPGP secret key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadSigner(l.write("key", c.file), c.passphrase)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one with %q", err, c.want)
			}
		})
	}
	if _, err := LoadSigner(filepath.Join(l.dir, "none"), nil); err == nil || strings.Count(err.Error(), l.dir) != 1 {
		t.Errorf("a missing file: %v", err)
	}
	s, err := LoadSigner(l.write("other.pub", other.public), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(GitNamespace, nil); err == nil || !strings.Contains(err.Error(), "the agent does not hold the key") {
		t.Errorf("a key that the agent does not hold: %v", err)
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	if _, err := LoadSigner(l.write("other.pub", other.public), nil); err == nil || !strings.Contains(err.Error(), "SSH_AUTH_SOCK") {
		t.Errorf("no agent: %v", err)
	}
	if _, err := (Signer{}).Sign(GitNamespace, nil); err == nil {
		t.Error("a zero signer signs")
	}
	if _, err := pair.signer.Sign("", nil); err == nil {
		t.Error("signs for no purpose")
	}
}

// TestT38SignerTellsNoSecret: no verb of fmt shows the key, and the passphrase does not stay.
func TestT38SignerTellsNoSecret(t *testing.T) {
	l := newLab(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("opensesame"))
	if err != nil {
		t.Fatal(err)
	}
	said := []byte("opensesame")
	s, err := LoadSigner(l.write("key", string(pem.EncodeToMemory(block))), func() ([]byte, error) { return said, nil })
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(said, make([]byte, len(said))) {
		t.Error("the passphrase was left in memory")
	}
	outer := struct{ inner Signer }{s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, value := range []any{s, &s, outer} {
			got := fmt.Sprintf(verb, value)
			for _, secret := range []string{string(private.Seed()), fmt.Sprintf("%x", private.Seed()), fmt.Sprintf("%d", []byte(private))[1:40]} {
				if strings.Contains(got, secret) {
					t.Errorf("%s shows the key", verb)
				}
			}
		}
	}
	if s.String() != "signer "+s.Fingerprint() || !strings.HasPrefix(s.Fingerprint(), "SHA256:") {
		t.Errorf("it is named %q", s)
	}
}

// TestSignerFilesAreOnlyRead: loading changes nothing.
func TestSignerFilesAreOnlyRead(t *testing.T) {
	l := newLab(t)
	p := newSSHPair(t, "ed25519")
	path := l.write("key", string(p.file))
	if _, err := LoadSigner(path, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, p.file) {
		t.Errorf("the file is not what it was: %v", err)
	}
}
