package gitea

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// people are the accounts that stories use.
var people = []string{"alice", "bob", "carol", "dave", "bob2", "robot", "stranger"}

// Stage is one repository on a Server, in a working copy that everybody uses in turn. It implements
// forgetest.Stage.
type Stage struct {
	Server *Server
	Path   string // owner/name
	Clone  string // folder of the working copy
	Base   string // tip of main before the story

	reader    forge.Reader
	id        int64
	heads     map[string][]string // that branches had
	numbers   map[string]int64    // of changes, by branch
	rewritten []time.Time
}

// NewStage makes a repository in which alice, bob, dave, bob2 and robot may push and everybody may
// read and review.
func NewStage(t testing.TB, s *Server, reader forge.Reader) *Stage {
	t.Helper()
	s.populate(t)
	name := fmt.Sprintf("shop-%d", time.Now().UnixNano())
	st := &Stage{Server: s, Path: Admin + "/" + name, Clone: filepath.Join(t.TempDir(), "clone"), reader: reader, heads: map[string][]string{}, numbers: map[string]int64{}}
	var made struct{ ID int64 }
	if err := s.Call(t.Context(), Admin, http.MethodPost, "/user/repos", map[string]any{"name": name, "default_branch": "main"}, &made); err != nil {
		t.Fatal(err)
	}
	st.id = made.ID
	s.Must(t, Admin, http.MethodPatch, "/repos/"+st.Path, map[string]any{
		"has_pull_requests": true, "allow_fast_forward_only_merge": true, "allow_rebase": true, "allow_squash_merge": true,
		"allow_manual_merge": true, "autodetect_manual_merge": true,
	})
	for _, who := range []string{"alice", "bob", "dave", "bob2", "robot"} {
		s.Must(t, Admin, http.MethodPut, "/repos/"+st.Path+"/collaborators/"+who, map[string]any{"permission": "write"})
	}
	st.git(t, "alice", "", "init", "-q", "-b", "main", st.Clone)
	st.git(t, "alice", st.Clone, "remote", "add", "origin", s.SSH(st.Path))
	st.write(t, map[string]string{"app.yaml": "image: shop:1\nreplicas: 3\n"})
	st.commit(t, forgetest.Act{By: "alice"})
	st.push(t, "alice", "main", false)
	st.Base = st.tip(t, "HEAD")
	return st
}

// populate makes the people who are not there.
func (s *Server) populate(t testing.TB) {
	t.Helper()
	s.making.Lock()
	defer s.making.Unlock()
	for _, who := range people {
		if s.ID(who) != 0 {
			continue
		}
		if err := s.AddUser(t.Context(), who); err != nil {
			t.Fatal(err)
		}
	}
}

// git runs git as somebody, in a folder.
func (s *Stage) git(t testing.TB, as, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME="+as, "GIT_AUTHOR_EMAIL="+as+"@example.com", "GIT_COMMITTER_NAME="+as, "GIT_COMMITTER_EMAIL="+as+"@example.com",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s as %s: %v\n%s", args, as, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *Stage) tip(t testing.TB, rev string) string {
	return s.git(t, "alice", s.Clone, "rev-parse", rev)
}

// write puts files into the working copy; an empty one is taken out.
func (s *Stage) write(t testing.TB, files map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		at := filepath.Join(s.Clone, path)
		err := os.Remove(at)
		if files[path] != "" {
			err = os.WriteFile(at, []byte(files[path]), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// commit commits the working copy, as whom the act says.
func (s *Stage) commit(t testing.TB, a forgetest.Act) {
	t.Helper()
	author := a.Author
	if author == "" {
		author = a.By
	}
	message := "change"
	if a.Coauthor != "" {
		message += "\n\nCo-authored-by: " + a.Coauthor + " <" + a.Coauthor + "@example.com>"
	}
	s.git(t, author, s.Clone, "add", "-A")
	s.git(t, author, s.Clone, "commit", "-q", "--allow-empty-message", "-m", message)
}

// push pushes what is checked out over SSH, and waits until the forge's own record shows it.
func (s *Stage) push(t testing.TB, as, branch string, force bool) {
	t.Helper()
	head := s.tip(t, "HEAD")
	args := []string{"-c", s.sshAs(as), "push", "-q"}
	if force {
		args = append(args, "--force")
	}
	s.git(t, as, s.Clone, append(args, "origin", "HEAD:refs/heads/"+branch)...)
	s.heads[branch] = append(s.heads[branch], head)
	s.Server.Await(t, "the push is recorded", func() (bool, error) {
		var feed []struct{ Content string }
		err := s.Server.Call(t.Context(), Admin, http.MethodGet, "/repos/"+s.Path+"/activities/feeds?limit=50", nil, &feed)
		return slices.ContainsFunc(feed, func(e struct{ Content string }) bool {
			return strings.Contains(e.Content, `"HeadCommit":{"Sha1":"`+head+`"`)
		}), err
	})
	if n := s.numbers[branch]; n > 0 {
		s.awaitChange(t, n, "has the new head", func(p pull) bool { return p.Head.SHA == head && s.Server.done(head) || p.Merged || p.State == "closed" })
	}
}

// pull is what a stage itself asks of a change.
type pull struct {
	State  string
	Merged bool
	Head   struct{ SHA string }
	Base   struct{ Ref string }
}

func (s *Stage) awaitChange(t testing.TB, number int64, what string, yes func(pull) bool) {
	t.Helper()
	s.Server.Await(t, fmt.Sprintf("change %d %s", number, what), func() (bool, error) {
		var p pull
		err := s.Server.Call(t.Context(), Admin, http.MethodGet, s.change(number), nil, &p)
		return err == nil && yes(p), err
	})
}

func (s *Stage) change(number int64) string { return fmt.Sprintf("/repos/%s/pulls/%d", s.Path, number) }

// View implements forgetest.Stage.
func (s *Stage) View(t *testing.T) forgetest.View {
	t.Helper()
	s.git(t, "alice", s.Clone, "-c", s.sshAs("alice"), "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/pull/*")
	repo, err := gitrepo.OpenClone(t.Context(), s.Clone, gitrepo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = repo.Close() })
	v := forgetest.View{
		Kind: forge.Gitea, Reader: s.reader, Repository: forge.Repository{Path: s.Path, ID: forge.ID(s.id)}, Git: mirror{repo},
		Tip: s.tip(t, "origin/main"), Base: s.Base, Rewritten: s.rewritten, Accounts: map[string]forge.Account{},
	}
	for _, who := range people {
		v.Accounts[who] = forge.Account{ID: forge.ID(s.Server.ID(who)), Login: who}
	}
	return v
}

func (s *Stage) sshAs(who string) string {
	return "core.sshCommand=ssh -F /dev/null -i " + s.Server.Key(who) + " -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
}

// mirror answers for a clone as the prover's mirror does.
type mirror struct{ *gitrepo.Repo }

// MergeBase implements forge.Git.
func (m mirror) MergeBase(ctx context.Context, a, b string) (string, error) {
	base, err := m.Repo.MergeBase(ctx, a, b)
	return base, known(err)
}

// RawDiffID implements forge.Git.
func (m mirror) RawDiffID(ctx context.Context, base, head string) (string, error) {
	id, err := m.Repo.RawDiffID(ctx, base, head)
	return id, known(err)
}

// Commit implements forge.Git.
func (m mirror) Commit(ctx context.Context, id string) (change.Commit, error) {
	o, err := m.Object(ctx, id)
	return o.Commit, known(err)
}

func known(err error) error {
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrMalformed) {
		return fmt.Errorf("%w: %w", forge.ErrUnknownCommit, err)
	}
	return err
}
