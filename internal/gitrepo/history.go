package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scratchPrefix begins the names of the folders that merges write to.
const scratchPrefix = "fairway-merge-"

// Chain is the first-parent chain base..head, oldest first, without base; empty where they are the
// same commit. ErrNotOnChain, ErrNotFound.
//
// Only commits that base does not reach are walked, so the cost grows with the answer.
func (r *Repo) Chain(ctx context.Context, base, head string) ([]string, error) {
	for _, id := range []string{base, head} {
		if err := r.holds(ctx, id); err != nil {
			return nil, fmt.Errorf("reading the chain %s..%s: %w", base, head, err)
		}
	}
	return r.chain(ctx, base, head)
}

// mostWalked is how many commits of a chain are walked without asking git.
const mostWalked = 64

// chain is Chain for commits that are known to exist. A few commits are walked without asking git.
func (r *Repo) chain(ctx context.Context, base, head string) ([]string, error) {
	var back []string // newest first
	walk := chainReader{repo: r}
	for at := head; at != base; {
		o, err := walk.object(ctx, at)
		if len(back) == min(mostWalked, r.limits.Commits) || err != nil && passable(err) || err == nil && len(o.Parents) == 0 {
			return r.chainByGit(ctx, base, head)
		}
		if err != nil {
			return nil, err
		}
		back, at = append(back, at), o.Parents[0]
	}
	slices.Reverse(back)
	return back, nil
}

func (r *Repo) chainByGit(ctx context.Context, base, head string) ([]string, error) {
	lines, err := r.revList(ctx, "--first-parent", "--parents", head, "^"+base)
	if err != nil {
		return nil, fmt.Errorf("reading the chain %s..%s: %w", base, head, err)
	}
	chain := make([]string, len(lines))
	want := head
	for i, line := range lines {
		ids := strings.Fields(line)
		if ids[0] != want {
			return nil, fmt.Errorf("reading the chain %s..%s: unexpected answer %q", base, head, line)
		}
		chain[len(lines)-1-i] = want
		want = ""
		if len(ids) > 1 {
			want = ids[1]
		}
	}
	if want != base {
		return nil, fmt.Errorf("commit %s, from %s: %w", base, head, ErrNotOnChain)
	}
	return chain, nil
}

// revList is the lines of git rev-list, at most as many as commits are allowed in one answer.
func (r *Repo) revList(ctx context.Context, args ...string) ([]string, error) {
	most := r.limits.Commits
	c := command{
		args:   append([]string{"rev-list", "--max-count=" + strconv.Itoa(most+1)}, args...),
		maxOut: int64(most+1) * (sha256Hex + 1) * 4,
	}
	out, err := r.output(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) > most {
		return nil, &LimitError{What: "commits in one answer", Limit: int64(most)}
	}
	return lines, nil
}

// Height is the number of commits on the first-parent chain up to and with the commit. What was
// counted before is built upon, so that the next commit of a long history costs little.
func (r *Repo) Height(ctx context.Context, commit string) (int64, error) {
	if err := r.holds(ctx, commit); err != nil {
		return 0, fmt.Errorf("counting the chain of %s: %w", commit, err)
	}
	return r.height(ctx, commit)
}

func (r *Repo) height(ctx context.Context, commit string) (int64, error) {
	if n, ok := recall(r.known, r.known.heights, commit); ok {
		return n, nil
	}
	n, err := r.countHeight(ctx, commit)
	if err != nil {
		return 0, fmt.Errorf("counting the chain of %s: %w", commit, err)
	}
	remember(r.known, r.known.heights, commit, n)
	r.known.mu.Lock()
	r.known.recent = commit
	r.known.mu.Unlock()
	return n, nil
}

func (r *Repo) countHeight(ctx context.Context, commit string) (int64, error) {
	r.known.mu.Lock()
	recent := r.known.recent
	below, ok := r.known.heights[recent]
	r.known.mu.Unlock()
	if ok {
		chain, err := r.chain(ctx, recent, commit)
		if err == nil {
			return below + int64(len(chain)), nil
		}
		var limit *LimitError
		if !errors.Is(err, ErrNotOnChain) && !errors.As(err, &limit) {
			return 0, err
		}
	}
	out, err := r.run(ctx, "rev-list", "--first-parent", "--count", commit)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// OnFirstParent reports whether the commit is on the branch's first-parent chain. A commit that the
// repository does not hold is on no chain.
func (r *Repo) OnFirstParent(ctx context.Context, branch, commit string) (bool, error) {
	tip, err := r.Tip(ctx, branch)
	if err != nil {
		return false, err
	}
	return r.chained(ctx, tip, commit)
}

// chained reports whether a commit is on the first-parent chain of tip. What was found out of a commit
// of that chain holds for what comes after it too, so that the next tip of a long history costs little.
func (r *Repo) chained(ctx context.Context, tip, commit string) (on bool, err error) {
	if err := r.holds(ctx, commit); err != nil {
		if errors.Is(err, ErrNotFound) {
			return false, nil // it may still come, so nothing is kept
		}
		return false, err
	}
	on, known := r.chainedSoon(ctx, tip, commit)
	if !known {
		_, err = r.Chain(ctx, commit, tip)
		if err != nil && !errors.Is(err, ErrNotOnChain) {
			return false, err
		}
		on = err == nil
	}
	remember(r.known, r.known.chained, [2]string{tip, commit}, on)
	return on, nil
}

// chainedSoon looks for the commit, or for one of which the answer is remembered, among the last few of
// the chain.
func (r *Repo) chainedSoon(ctx context.Context, tip, commit string) (on, known bool) {
	walk := chainReader{repo: r}
	for at, back := tip, 0; back < mostWalked; back++ {
		if at == commit {
			return true, true
		}
		if on, known = recall(r.known, r.known.chained, [2]string{at, commit}); known {
			return on, true
		}
		o, err := walk.object(ctx, at)
		if err != nil || len(o.Parents) == 0 {
			return false, false // for git to say
		}
		at = o.Parents[0]
	}
	return false, false
}

// Place is OnFirstParent and, where it holds, Height.
func (r *Repo) Place(ctx context.Context, branch, commit string) (height int64, on bool, err error) {
	if on, err = r.OnFirstParent(ctx, branch, commit); err != nil || !on {
		return 0, false, err
	}
	height, err = r.height(ctx, commit)
	return height, err == nil, err
}

// MergeBase is the one merge base of two commits. ErrNoMergeBase.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	for _, id := range []string{a, b} {
		if err := r.holds(ctx, id); err != nil {
			return "", fmt.Errorf("finding the merge base of %s and %s: %w", a, b, err)
		}
	}
	return r.mergeBase(ctx, a, b)
}

func (r *Repo) mergeBase(ctx context.Context, a, b string) (string, error) {
	if base, ok := recall(r.known, r.known.bases, [2]string{a, b}); ok {
		return base, nil
	}
	out, err := r.run(ctx, "merge-base", "--all", a, b)
	bases := strings.Fields(string(out))
	switch {
	case err != nil && exitCode(err) != 1:
		return "", fmt.Errorf("finding the merge base of %s and %s: %w", a, b, err)
	case len(bases) != 1:
		return "", fmt.Errorf("commits %s and %s: %w", a, b, ErrNoMergeBase)
	}
	remember(r.known, r.known.bases, [2]string{a, b}, bases[0])
	return bases[0], nil
}

// MergeTree is the tree that merging b into a gives, with renames found as git's defaults and
// forges do. It is not clean where they conflict; the tree is then empty.
func (r *Repo) MergeTree(ctx context.Context, a, b string) (tree string, clean bool, err error) {
	for _, id := range []string{a, b} {
		if err := r.holds(ctx, id); err != nil {
			return "", false, fmt.Errorf("merging %s and %s: %w", a, b, err)
		}
	}
	return r.mergeTree(ctx, a, b)
}

// mergeTree merges into a folder that is thrown away, so that nothing is written to the repository.
func (r *Repo) mergeTree(ctx context.Context, a, b string) (tree string, clean bool, err error) {
	r.busy.RLock()
	defer r.busy.RUnlock()
	fail := func(err error) (string, bool, error) {
		return "", false, fmt.Errorf("merging %s and %s: %w", a, b, err)
	}
	scratch, err := os.MkdirTemp(r.scratch, scratchPrefix)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what stays behind is swept when the mirror is opened
	out, err := r.git.output(ctx, command{
		args: []string{"merge-tree", "--write-tree", "--no-messages", a, b},
		env: []string{
			"GIT_OBJECT_DIRECTORY=" + scratch,
			"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + strconv.Quote(filepath.ToSlash(r.objects)),
			// Newer versions of git read the .gitattributes of a bare repository's HEAD, older ones do
			// not. Nobody's attributes shall decide how content is merged.
			"GIT_ATTR_SOURCE=" + emptyTree(a),
		},
		maxOut: 16 << 20,
	})
	if exitCode(err) == 1 {
		return "", false, nil
	}
	if err != nil {
		return fail(err)
	}
	tree = strings.TrimSuffix(string(out), "\n")
	if !fullID(tree) {
		return fail(fmt.Errorf("unexpected answer %q", tree))
	}
	return tree, true, nil
}

// Unit is the ids of the commits base..head, oldest first, merges included. LimitError.
func (r *Repo) Unit(ctx context.Context, base, head string) ([]string, error) {
	for _, id := range []string{base, head} {
		if err := r.holds(ctx, id); err != nil {
			return nil, fmt.Errorf("listing %s..%s: %w", base, head, err)
		}
	}
	ids, err := r.revList(ctx, "--topo-order", "--reverse", head, "^"+base)
	if err != nil {
		return nil, fmt.Errorf("listing %s..%s: %w", base, head, err)
	}
	return ids, nil
}
