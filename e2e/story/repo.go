package story

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Repo is a bare git repository that serves as the remote of a story.
type Repo struct {
	Dir string
	now time.Time
}

// NewRepo makes an empty repository in dir. Its commits are dated from an hour ago on, one minute
// apart, and one second once they come near to now, so that ids differ and no commit is in the future.
func NewRepo(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{Dir: dir, now: time.Now().Add(-time.Hour).Truncate(time.Second)}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a repository: %w", err)
	}
	if _, err := r.git(ctx, nil, "init", "--quiet", "--bare", "--initial-branch=main"); err != nil {
		return nil, err
	}
	return r, nil
}

// URL is the file URL of the repository.
func (r *Repo) URL() string { return "file://" + r.Dir }

// Commit describes a commit to make.
type Commit struct {
	Author  *Person
	Signer  *Person // nil: unsigned
	Parents []string
	// Files are written over the first parent's tree; an empty content removes the file.
	Files   map[string]string
	Tree    string // instead of Files, for merges
	Message string
}

// Commit writes a commit, signed in the format of git's gpg.format=ssh, and returns its id. No ref
// moves.
func (r *Repo) Commit(ctx context.Context, c Commit) (string, error) {
	tree := c.Tree
	if tree == "" {
		var err error
		if tree, err = r.tree(ctx, c); err != nil {
			return "", err
		}
	}
	step := time.Minute
	if behind := time.Since(r.now); behind < 0 {
		step = 0 // a signature of the future does not count
	} else if behind < 2*time.Minute {
		step = time.Second
	}
	r.now = r.now.Add(step)
	var head bytes.Buffer
	fmt.Fprintf(&head, "tree %s\n", tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&head, "parent %s\n", p)
	}
	who := fmt.Sprintf("%s <%s> %d +0000", c.Author.Name, c.Author.Email, r.now.Unix())
	fmt.Fprintf(&head, "author %s\ncommitter %s\n", who, who)
	body := "\n" + strings.TrimRight(c.Message, "\n") + "\n"
	raw := head.String() + body
	if c.Signer != nil {
		armour, err := c.Signer.sign("git", []byte(raw))
		if err != nil {
			return "", err
		}
		sig := strings.ReplaceAll(strings.TrimRight(string(armour), "\n"), "\n", "\n ")
		raw = head.String() + "gpgsig " + sig + "\n" + body
	}
	return r.git(ctx, strings.NewReader(raw), "hash-object", "-t", "commit", "-w", "--stdin")
}

// Merge writes the merge commit of head into base, as a forge's merge button does.
func (r *Repo) Merge(ctx context.Context, by *Person, base, head, message string) (string, error) {
	tree, err := r.git(ctx, nil, "merge-tree", "--write-tree", base, head)
	if err != nil {
		return "", err
	}
	return r.Commit(ctx, Commit{Author: by, Signer: by, Parents: []string{base, head}, Tree: tree, Message: message})
}

// SetBranch points a branch at a commit, whatever it pointed at before.
func (r *Repo) SetBranch(ctx context.Context, branch, commit string) error {
	_, err := r.git(ctx, nil, "update-ref", "refs/heads/"+branch, commit)
	return err
}

// Ref is the commit that a ref points at.
func (r *Repo) Ref(ctx context.Context, name string) (string, error) {
	return r.git(ctx, nil, "rev-parse", "--verify", name)
}

// SetRef points any ref at a commit, as a force-push does.
func (r *Repo) SetRef(ctx context.Context, name, commit string) error {
	_, err := r.git(ctx, nil, "update-ref", name, commit)
	return err
}

// tree is the first parent's tree with the files written over it.
func (r *Repo) tree(ctx context.Context, c Commit) (string, error) {
	index, err := os.CreateTemp("", "fairway-story-index-")
	if err != nil {
		return "", fmt.Errorf("making an index: %w", err)
	}
	_ = index.Close()
	_ = os.Remove(index.Name()) // git wants no file, or a valid one
	defer func() { _ = os.Remove(index.Name()) }()
	env := "GIT_INDEX_FILE=" + index.Name()
	if len(c.Parents) > 0 {
		if _, err := r.gitEnv(ctx, env, nil, "read-tree", c.Parents[0]); err != nil {
			return "", err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		content := c.Files[path]
		if content == "" {
			gone := strings.NewReader("0 " + strings.Repeat("0", 40) + "\t" + path + "\n")
			if _, err := r.gitEnv(ctx, env, gone, "update-index", "--index-info"); err != nil {
				return "", err
			}
			continue
		}
		blob, err := r.git(ctx, strings.NewReader(content), "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		if _, err := r.gitEnv(ctx, env, nil, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path); err != nil {
			return "", err
		}
	}
	return r.gitEnv(ctx, env, nil, "write-tree")
}

// Clone makes a working clone of the repository, as a reviewer has one.
func (r *Repo) Clone(ctx context.Context, dir string) error {
	_, err := run(ctx, filepath.Dir(dir), "", nil, "clone", "--quiet", r.URL(), dir)
	return err
}

func (r *Repo) git(ctx context.Context, in io.Reader, args ...string) (string, error) {
	return r.gitEnv(ctx, "", in, args...)
}

func (r *Repo) gitEnv(ctx context.Context, env string, in io.Reader, args ...string) (string, error) {
	return run(ctx, r.Dir, env, in, args...)
}

// run runs git without the configuration of the user or the machine and returns what it printed.
func run(ctx context.Context, dir, env string, in io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = dir, in
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C")
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
