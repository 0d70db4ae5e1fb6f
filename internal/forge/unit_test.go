package forge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// history is a Git of one letter for each commit: what its first parent is, and its second.
type history map[string][]string

func (h history) Commit(_ context.Context, id string) (change.Commit, error) {
	parents, ok := h[id]
	if !ok {
		return change.Commit{}, ErrUnknownCommit
	}
	return change.Commit{ID: id, Tree: "tree of " + id, Parents: parents}, nil
}

func (h history) ancestors(id string) []string {
	all := []string{id}
	for i := 0; i < len(all); i++ {
		all = append(all, h[all[i]]...)
	}
	return all
}

func (h history) MergeBase(_ context.Context, a, b string) (string, error) {
	if _, ok := h[a]; !ok {
		return "", ErrUnknownCommit
	}
	if _, ok := h[b]; !ok {
		return "", ErrUnknownCommit
	}
	of := h.ancestors(b)
	for _, c := range h.ancestors(a) {
		if slices.Contains(of, c) {
			return c, nil
		}
	}
	return "", ErrUnknownCommit
}

func (h history) RawDiffID(_ context.Context, base, head string) (string, error) {
	if _, ok := h[head]; !ok {
		return "", ErrUnknownCommit
	}
	return base + ".." + head, nil
}

// landed is a history in which x was pushed to the target after a, and h and i are a change that was
// forked from x. m merges them, s squashes them, r and q rebase them.
func landed() history {
	return history{
		"a": nil, "x": {"a"}, "h": {"x"}, "i": {"h"}, "y": {"x"},
		"m": {"x", "i"}, "s": {"y"}, "q": {"y"}, "r": {"q"},
	}
}

// TestResolve finds the merge base that the page of a change showed. An older one would let x, which
// nobody reviewed, ride along.
func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		name    string
		c       Change
		commits int
		tip     string
		want    string // merge base; empty: nothing is known
	}{
		{name: "open", c: Change{State: Open, Head: "i"}, tip: "x", want: "x"},
		{name: "open, and the target went on", c: Change{State: Open, Head: "i"}, tip: "y", want: "x"},
		{name: "merge", c: Change{State: Merged, Head: "i", Landed: "m"}, tip: "m", want: "x"},
		{name: "squash", c: Change{State: Merged, Head: "i", Landed: "s"}, tip: "s", want: "x"},
		{name: "rebase", c: Change{State: Merged, Head: "i", Landed: "r"}, tip: "r", want: "x"},
		{name: "merge base that the forge says is not asked for", c: Change{State: Merged, Head: "i", Landed: "m", MergeBase: "a"}, tip: "m", want: "x"},
		{name: "fast-forward", c: Change{State: Merged, Head: "i", Landed: "i", MergeBase: "x"}, tip: "i", want: "x"},
		{name: "fast-forward by count", c: Change{State: Merged, Head: "i", Landed: "i"}, commits: 2, tip: "i", want: "x"},
		{name: "fast-forward, nothing said", c: Change{State: Merged, Head: "i", Landed: "i"}, tip: "i"},
		{name: "fast-forward of a merge by count", c: Change{State: Merged, Head: "m", Landed: "m"}, commits: 1, tip: "m"},
		{name: "fast-forward from no ancestor", c: Change{State: Merged, Head: "i", Landed: "i", MergeBase: "s"}, tip: "i"},
		{name: "fast-forward by more than there is", c: Change{State: Merged, Head: "i", Landed: "i"}, commits: 9, tip: "i"},
		{name: "merged somewhere", c: Change{State: Merged, Head: "i"}, tip: "i"},
		{name: "closed", c: Change{State: Closed, Head: "i"}, tip: "x"},
		{name: "head is not held", c: Change{State: Open, Head: "z"}, tip: "x"},
		{name: "landing is not held", c: Change{State: Merged, Head: "i", Landed: "z"}, tip: "x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Facts{Unit: change.Unit{RawDiffID: "stale"}}
			d := Dossier{Change: tc.c, Commits: tc.commits, Reviews: []Review{{ID: "1", Commit: "h"}, {ID: "2", Commit: "z"}}}
			if err := Resolve(t.Context(), landed(), d, tc.tip, &f); err != nil {
				t.Fatal(err)
			}
			want := change.Unit{}
			if tc.want != "" {
				want = change.Unit{MergeBase: tc.want, Head: tc.c.Head, RawDiffID: tc.want + ".." + tc.c.Head}
				diffs := map[Revision]string{{Head: "h"}: "x..h", {Head: "z"}: ""}
				if diff := cmp.Diff(diffs, f.Diffs); diff != "" {
					t.Error(diff)
				}
			}
			if diff := cmp.Diff(want, f.Unit); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type broken struct{ history }

var errBroken = errors.New("disk on fire")

func (broken) RawDiffID(context.Context, string, string) (string, error) { return "", errBroken }

func TestResolveSaysThatGitFailed(t *testing.T) {
	d := Dossier{Change: Change{State: Open, Head: "i"}}
	if err := Resolve(t.Context(), broken{landed()}, d, "x", &Facts{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
}

func TestDossierIsStoredWhole(t *testing.T) {
	d := dossier(approve("bob", 20))
	d.Rebased, d.Authors, d.Commits = append(d.Rebased, at(3)), []Account{account("app")}, 3
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Dossier
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, back); diff != "" {
		t.Error(diff)
	}
	one, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	back.Reviews[0].Opinion = Dismissed
	if other, _ := back.Digest(); len(one) != 64 || other == one {
		t.Errorf("digests %q and %q", one, other)
	}
}
