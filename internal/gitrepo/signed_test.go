package gitrepo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signer signs commits as git does, and asks git and the signing program whether they are signed.
type signer struct {
	*forge
	name   string
	header string
	verify func(t *testing.T, payload, signature []byte) bool
}

func run(t *testing.T, stdin string, name string, args ...string) error {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.New(err.Error() + ": " + string(out))
	}
	return nil
}

func sshSigner(t *testing.T, initArgs ...string) signer {
	f := newForge(t, initArgs...)
	dir := t.TempDir()
	key, allowed := filepath.Join(dir, "key"), filepath.Join(dir, "allowed")
	if err := run(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allowed, []byte("ada@example.com "+string(public)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.git("config", "gpg.format", "ssh")
	f.git("config", "user.signingKey", key)
	f.git("config", "gpg.ssh.allowedSignersFile", allowed)
	return signer{forge: f, name: "ssh", verify: func(t *testing.T, payload, signature []byte) bool {
		sig := filepath.Join(t.TempDir(), "sig")
		if err := os.WriteFile(sig, signature, 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, string(payload), "ssh-keygen", "-Y", "verify", "-n", "git", "-f", allowed, "-I", "ada@example.com", "-s", sig) == nil
	}}
}

func pgpSigner(t *testing.T) signer {
	f := newForge(t)
	home, err := os.MkdirTemp("/tmp", "gpg") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() {
		if err := errors.Join(run(t, "", "gpgconf", "--homedir", home, "--kill", "all"), os.RemoveAll(home)); err != nil {
			t.Error(err)
		}
	})
	if err := run(t, "", "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign", "never"); err != nil {
		t.Fatal(err)
	}
	f.git("config", "user.signingKey", "ada@example.com")
	return signer{forge: f, name: "pgp", verify: func(t *testing.T, payload, signature []byte) bool {
		sig := filepath.Join(t.TempDir(), "sig")
		if err := os.WriteFile(sig, signature, 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, string(payload), "gpg", "--verify", sig, "-") == nil
	}}
}

// gitVerifies is what git verify-commit says.
func (s signer) gitVerifies(id string) bool { return s.command("verify-commit", id).Run() == nil }

// TestT11SignedCommitsAgainstGit changes a signed commit in the ways that git, go-git and others read
// differently (the rows of the differential table), and holds: what is accepted here, git reads with
// the same payload, and both come to the same verdict.
func TestT11SignedCommitsAgainstGit(t *testing.T) {
	for _, s := range []signer{sshSigner(t), pgpSigner(t), sshSigner(t, "--object-format=sha256")} {
		parent := s.commit("parent", ground)
		tree := s.git("rev-parse", parent+"^{tree}")
		id := s.git("commit-tree", "-S", "-p", parent, "-m", "signed\n\nTicket: OPS-1", tree)
		raw := s.git("cat-file", "commit", id) + "\n"
		s.header = "gpgsig "
		if len(id) == sha256Hex {
			s.header = "gpgsig-sha256 "
		}
		end := strings.Index(raw, "-----END ")
		end += strings.Index(raw[end:], "\n") + 1
		block := raw[strings.Index(raw, s.header):end]
		insert := func(at int, text string) string { return raw[:at] + text + raw[at:] }
		for _, c := range []struct {
			name         string
			raw          string
			accept, good bool // here; and, where accepted, by everybody
			gitGood      bool
		}{
			{"as it was signed", raw, true, true, true},
			{"message changed", strings.Replace(raw, "OPS-1", "OPS-2", 1), true, false, false},
			{"tree changed", strings.Replace(raw, tree, s.gitIn("", "mktree"), 1), true, false, false},
			{"one blank line after the armour", insert(end, " \n"), true, true, true},
			{"unsigned", strings.Replace(raw, block, "", 1), true, false, false},
			{"junk after the armour", insert(end, " junk\n"), false, false, true},
			{"two blank lines after the armour", insert(end, " \n \n"), false, false, true},
			{"junk before the armour", strings.Replace(raw, s.header, s.header+"junk\n ", 1), false, false, false},
			{"gpgsigX", insert(end, "gpgsigX junk\n"), false, false, true},
			{"second signature", insert(end, block), false, false, s.name == "ssh"},
			{"NUL after the message", raw + "\x00hidden", false, false, false},
			{"second tree", "tree " + strings.Repeat("0", len(id)) + "\n" + raw, false, false, false},
			{"carriage returns", strings.Replace(raw, block, strings.ReplaceAll(block, "\n", "\r\n"), 1), false, false, s.name == "pgp"},
		} {
			t.Run(s.name+" "+c.name, func(t *testing.T) {
				id := s.raw(c.raw)
				o, err := ParseCommit(id, []byte(c.raw))
				if (err == nil) != c.accept {
					t.Fatalf("error %v, want it accepted: %t", err, c.accept)
				}
				if git := s.gitVerifies(id); git != c.gitGood {
					t.Errorf("git verify-commit: %t, the table says %t", git, c.gitGood)
				}
				if err == nil && c.good != c.gitGood {
					t.Error("the table accepts what git judges differently")
				}
				if err == nil && len(o.Signature) > 0 {
					if got := s.verify(t, o.Payload, o.Signature); got != c.good {
						t.Errorf("the signing program verifies payload and signature: %t, want %t", got, c.good)
					}
				}
			})
		}
	}
}

// git verify-commit, with replace refs heeded, takes the signed commit for the unsigned one.
func TestT11ReplaceRefsAreIgnored(t *testing.T) {
	s := sshSigner(t)
	parent := s.commit("parent", ground)
	tree := s.git("rev-parse", parent+"^{tree}")
	signed := s.git("commit-tree", "-S", "-p", parent, "-m", "signed", tree)
	evil := s.commit("unsigned", ground.with("apps/web.yaml", "privileged: true\n"), parent)
	s.git("replace", evil, signed)
	if !s.gitVerifies(evil) {
		t.Fatal("git no longer heeds replace refs: the test proves nothing")
	}
	for name, r := range map[string]*Repo{"mirror": s.mirrorOf(evil).Repo, "clone": s.clone()} {
		o, err := r.Object(ctx(t), evil)
		if err != nil || len(o.Signature) != 0 || o.Subject != "unsigned" {
			t.Errorf("%s: object %+v, error %v; want the unsigned commit", name, o, err)
		}
		tree, err := r.Tree(ctx(t), evil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.ReadFile("apps/web.yaml"); err != nil || string(got) != "privileged: true\n" {
			t.Errorf("%s: file %q, error %v", name, got, err)
		}
		refs, err := r.Refs(ctx(t), "refs/replace/")
		if err != nil || (name == "mirror" && len(refs) > 0) {
			t.Errorf("%s: replace refs %v, error %v", name, refs, err)
		}
	}
}
