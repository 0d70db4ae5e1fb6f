package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/tier"
)

// day is a day of the story that the tests tell; the story begins in 2024.
func day(n int) time.Time { return time.Date(2024, 1, n, 12, 0, 0, 0, time.UTC) }

// lab is a place with git, gpg and ssh-keygen of its own. A missing tool fails the test: the truth
// that we compare with must be there.
type lab struct {
	t    testing.TB
	dir  string
	repo string
}

func newLab(t testing.TB) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "fw") //nolint:usetesting // short, since the path of gpg-agent's socket is limited
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: dir, repo: filepath.Join(dir, "repo")}
	t.Cleanup(func() {
		// Only the agent of this home; it may never have been started.
		_, _, _ = l.try(nil, "gpgconf", "--homedir", l.dir, "--kill", "all")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l.run(nil, "git", "init", "--quiet", "--bare", l.repo)
	return l
}

func (l *lab) try(stdin []byte, name string, args ...string) (stdout, stderr []byte, err error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "GNUPGHOME="+l.dir, "HOME="+l.dir, "TZ=UTC", "LC_ALL=C", "GIT_DIR="+l.repo,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_NO_REPLACE_OBJECTS=1", "SSH_AUTH_SOCK=")
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

func (l *lab) run(stdin []byte, name string, args ...string) []byte {
	l.t.Helper()
	out, errs, err := l.try(stdin, name, args...)
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs)
	}
	return out
}

func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// commitAt is a commit without a signature header: what a signature is made over.
func commitAt(committed time.Time) []byte {
	return fmt.Appendf(nil, "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.com> %d +0000\ncommitter A <a@example.com> %d +0000\n\nchange things\n",
		committed.Unix(), committed.Unix())
}

// store writes a commit with that signature header and gives its id.
func (l *lab) store(payload, armour []byte) string {
	l.t.Helper()
	head, message, _ := bytes.Cut(payload, []byte("\n\n"))
	raw := append([]byte{}, head...)
	if len(armour) > 0 {
		value := strings.TrimSuffix(string(armour), "\n")
		raw = append(raw, "\ngpgsig "+strings.ReplaceAll(value, "\n", "\n ")...)
	}
	raw = append(append(raw, "\n\n"...), message...)
	return strings.TrimSpace(string(l.run(raw, "git", "hash-object", "-t", "commit", "-w", "--stdin")))
}

// gitAccepts is what git verify-commit says, with these settings.
func (l *lab) gitAccepts(id string, settings ...string) (bool, string) {
	var args []string
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	_, errs, err := l.try(nil, "git", append(args, "verify-commit", "-v", id)...)
	return err == nil, string(errs)
}

// gpg runs gpg at a time of its own.
func (l *lab) gpg(at time.Time, stdin []byte, args ...string) []byte {
	l.t.Helper()
	all := append([]string{"--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "",
		"--faked-system-time", at.Format("20060102T150405") + "!"}, args...)
	return l.run(stdin, "gpg", all...)
}

// newPGP makes a key that signs with its primary key and gives its fingerprint. An end of "0" means
// that it never ends.
func (l *lab) newPGP(name, algorithm string, at time.Time, end string) string {
	l.t.Helper()
	l.gpg(at, nil, "--quick-generate-key", name+" <"+name+"@example.com>", algorithm, "sign", end)
	return l.pgpFingerprint(name)
}

func (l *lab) pgpFingerprint(name string) string {
	l.t.Helper()
	for _, line := range strings.Split(string(l.run(nil, "gpg", "--with-colons", "--list-keys", name+"@example.com")), "\n") {
		if rest, ok := strings.CutPrefix(line, "fpr:::::::::"); ok {
			return strings.TrimSuffix(rest, ":")
		}
	}
	l.t.Fatalf("no key of %s", name)
	return ""
}

func (l *lab) exportPGP(name string) string {
	l.t.Helper()
	return string(l.run(nil, "gpg", "--armor", "--export", name+"@example.com"))
}

func (l *lab) signPGP(at time.Time, name string, payload []byte, args ...string) []byte {
	l.t.Helper()
	return l.gpg(at, payload, append(args, "--armor", "--detach-sign", "--local-user", name+"@example.com")...)
}

// revokePGP imports the revocation that gpg made with the key.
func (l *lab) revokePGP(at time.Time, fingerprint string) {
	l.t.Helper()
	certificate, err := os.ReadFile(filepath.Join(l.dir, "openpgp-revocs.d", fingerprint+".rev"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.gpg(at, []byte(strings.Replace(string(certificate), ":-----BEGIN", "-----BEGIN", 1)), "--import")
}

// sshPair is an SSH key in the forms that tests want.
type sshPair struct {
	signer Signer
	raw    ssh.Signer
	public string // authorized_keys line
	file   []byte // private key file
}

func newSSHPair(t testing.TB, kind string) sshPair {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	default:
		t.Fatalf("unknown kind of key %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sshPairOf(t, key)
}

func sshPairOf(t testing.TB, key any) sshPair {
	t.Helper()
	raw, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	p := sshPair{raw: raw, public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(raw.PublicKey()))), file: pem.EncodeToMemory(block)}
	p.signer = Signer{fingerprint: ssh.FingerprintSHA256(raw.PublicKey()), sign: func(ns string, payload []byte) ([]byte, error) {
		return signSSH(raw, ns, payload)
	}}
	return p
}

func (p sshPair) sign(t testing.TB, namespace string, payload []byte) []byte {
	t.Helper()
	armour, err := p.signer.Sign(namespace, payload)
	if err != nil {
		t.Fatal(err)
	}
	return armour
}

// keyringOf has the keys of one principal each.
func keyringOf(t testing.TB, keys map[string][]tier.Key) *Keyring {
	t.Helper()
	k, problems := NewKeyring(peopleOf(keys))
	if len(problems) > 0 {
		t.Fatalf("unexpected problems: %q", problems)
	}
	return k
}

func peopleOf(keys map[string][]tier.Key) tier.People {
	team := tier.TeamSpec{Name: "team"}
	for name, ks := range keys {
		team.Principals = append(team.Principals, tier.Principal{Name: name, Keys: ks})
	}
	people, _ := tier.NewPeople("digest", []tier.TeamSpec{team})
	return people
}
