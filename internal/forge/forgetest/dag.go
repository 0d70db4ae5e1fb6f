package forgetest

import (
	"context"
	"crypto/sha1" //nolint:gosec // ids in the shape of git's; nothing rests on them
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// files is a tree: content by path.
type files map[string]string

// node is one commit.
type node struct {
	id        string
	parents   []string
	tree      files
	author    string
	committer string
	coauthor  string
}

// dag is a repository in memory. It implements forge.Git.
type dag struct {
	nodes map[string]node
}

func newDAG() *dag { return &dag{map[string]node{}} }

// commit makes a commit and gives its id.
func (g *dag) commit(n node) string {
	h := sha1.New() //nolint:gosec // see above
	fmt.Fprintf(h, "%d %v %s %s %s %v", len(g.nodes), n.parents, n.author, n.committer, n.coauthor, slices.Sorted(maps.Keys(n.tree)))
	n.id = hex.EncodeToString(h.Sum(nil))
	g.nodes[n.id] = n
	return n.id
}

// with is a tree with files put in; an empty one is taken out.
func (f files) with(more map[string]string) files {
	tree := maps.Clone(f)
	for path, content := range more {
		if content == "" {
			delete(tree, path)
			continue
		}
		tree[path] = content
	}
	return tree
}

// Commit implements forge.Git.
func (g *dag) Commit(_ context.Context, id string) (change.Commit, error) {
	n, ok := g.nodes[id]
	if !ok {
		return change.Commit{}, forge.ErrUnknownCommit
	}
	c := change.Commit{ID: id, Tree: "tree of " + id, Parents: n.parents}
	c.Author.Email, c.Committer.Email = n.author+"@example.com", n.committer+"@example.com"
	if n.coauthor != "" {
		c.Trailers = []change.Trailer{{Key: "Co-authored-by", Value: n.coauthor + " <" + n.coauthor + "@example.com>"}}
	}
	return c, nil
}

// ancestors are a commit and all before it, nearest first.
func (g *dag) ancestors(id string) []string {
	all, seen := []string{id}, map[string]bool{id: true}
	for i := 0; i < len(all); i++ {
		for _, p := range g.nodes[all[i]].parents {
			if !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// MergeBase implements forge.Git: the common ancestor that has the most history of its own.
func (g *dag) MergeBase(_ context.Context, a, b string) (string, error) {
	if g.nodes[a].id == "" || g.nodes[b].id == "" {
		return "", forge.ErrUnknownCommit
	}
	best, most := "", 0
	of := g.ancestors(b)
	for _, c := range g.ancestors(a) {
		if n := len(g.ancestors(c)); slices.Contains(of, c) && n > most {
			best, most = c, n
		}
	}
	if best == "" {
		return "", forge.ErrUnknownCommit
	}
	return best, nil
}

// RawDiffID implements forge.Git.
func (g *dag) RawDiffID(_ context.Context, base, head string) (string, error) {
	b, h := g.nodes[base], g.nodes[head]
	if b.id == "" || h.id == "" {
		return "", forge.ErrUnknownCommit
	}
	sum := sha256.New()
	for _, path := range slices.Compact(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(b.tree)), slices.Collect(maps.Keys(h.tree))...)))) {
		if b.tree[path] != h.tree[path] {
			fmt.Fprintf(sum, "%q %q %q\n", path, b.tree[path], h.tree[path])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// merged is the tree of a merge of b into a, by whole files.
func (g *dag) merged(a, b string) files {
	base, _ := g.MergeBase(context.Background(), a, b)
	tree := maps.Clone(g.nodes[a].tree)
	for _, path := range slices.Concat(slices.Collect(maps.Keys(g.nodes[base].tree)), slices.Collect(maps.Keys(g.nodes[b].tree))) {
		if was, is := g.nodes[base].tree[path], g.nodes[b].tree[path]; was != is {
			tree = tree.with(map[string]string{path: is})
		}
	}
	return tree
}

// between are the commits of head that base does not have, oldest first.
func (g *dag) between(base, head string) []string {
	before := g.ancestors(base)
	all := slices.DeleteFunc(g.ancestors(head), func(id string) bool { return slices.Contains(before, id) })
	slices.Reverse(all)
	return all
}

// replay puts commits on top of another, as a rebase by somebody does.
func (g *dag) replay(commits []string, onto, by string) string {
	for _, id := range commits {
		n := g.nodes[id]
		parent := g.nodes[n.parents[0]]
		tree := g.nodes[onto].tree
		for path := range maps.Keys(parent.tree.with(n.tree)) {
			if parent.tree[path] != n.tree[path] {
				tree = tree.with(map[string]string{path: n.tree[path]})
			}
		}
		onto = g.commit(node{parents: []string{onto}, tree: tree, author: n.author, committer: by, coauthor: n.coauthor})
	}
	return onto
}

// looksEqual reports whether two changes look the same to somebody who does not see white space.
func (g *dag) looksEqual(baseA, a, baseB, b string) bool {
	strip := func(base, head string) string {
		var out []string
		for _, path := range slices.Sorted(maps.Keys(g.nodes[base].tree.with(g.nodes[head].tree))) {
			if was, is := g.nodes[base].tree[path], g.nodes[head].tree[path]; was != is {
				out = append(out, path, strings.Join(strings.Fields(is), " "))
			}
		}
		return strings.Join(out, "\n")
	}
	return strip(baseA, a) == strip(baseB, b)
}
