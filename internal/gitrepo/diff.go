package gitrepo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// The modes of a raw diff that mean no content: nothing there, a directory, a submodule.
const (
	noMode     = "000000"
	treeMode   = "040000"
	moduleMode = "160000"
)

// alteration is one entry of a raw diff: a path whose mode or object differs between two trees.
type alteration struct {
	path             string
	oldMode, newMode string
	oldID, newID     string
}

// isDir: the entry is about a directory that came or went, not about a file in it.
func (a alteration) isDir() bool { return a.oldMode == treeMode || a.newMode == treeMode }

// errTooMany ends a comparison that would bring more than the limits allow.
var errTooMany = errors.New("too many changed entries")

// differ compares trees from their bytes, as git diff-tree -r --no-renames does. Unlike git it gives
// up as soon as there is too much: git gathers the whole answer in memory first, and a tree of a
// dozen objects can have ten billion files.
type differ struct {
	repo    *Repo
	ctx     context.Context // of one comparison or cover
	idBytes int
	none    string            // the id that stands for nothing
	trees   map[string][]byte // read and vetted before, since one tree is often compared twice
	held    int               // bytes in trees
	found   []alteration
	visited int // directories
}

func (r *Repo) newDiffer(ctx context.Context, digits int) *differ {
	return &differ{repo: r, ctx: ctx, idBytes: digits / 2, none: strings.Repeat("0", digits), trees: map[string][]byte{}}
}

// compare is what is different in two trees, and errTooMany where that is more than the limits allow.
func (d *differ) compare(before, after string) ([]alteration, error) {
	d.found, d.visited = nil, 0
	if before == after {
		return nil, nil
	}
	err := d.walk("", 0, before, after)
	return d.found, err
}

// walk compares two directories; an empty id is one that is not there.
func (d *differ) walk(dir string, depth int, before, after string) error {
	if d.visited++; d.visited > d.repo.limits.Entries || depth > d.repo.limits.Depth {
		return errTooMany
	}
	old, err := d.read(before)
	if err != nil {
		return err
	}
	new, err := d.read(after)
	if err != nil {
		return err
	}
	return d.alterations(old, new, func(old, new *rawEntry) error { return d.change(dir, depth, old, new) })
}

// alterations tells of each name that is not the same in two vetted tree objects, in the order of git.
// What is not there is nil.
func (d *differ) alterations(old, new []byte, tell func(old, new *rawEntry) error) error {
	for differs := true; len(old) > 0 || len(new) > 0; {
		if differs && bytes.Equal(old, new) {
			return nil // asked after each difference only, and answered by the next, so all is read once
		}
		differs = false
		if n := sameEntry(old, new, d.idBytes); n > 0 {
			old, new = old[n:], new[n:]
			continue
		}
		was, restOld, _ := nextEntry(old, d.idBytes)
		is, restNew, _ := nextEntry(new, d.idBytes)
		differs = true
		var err error
		switch c := was.compare(is); {
		case len(new) == 0 || len(old) > 0 && c < 0:
			old, err = restOld, tell(&was, nil)
		case len(old) == 0 || c > 0:
			new, err = restNew, tell(nil, &is)
		default:
			old, new = restOld, restNew
			if was.kind != is.kind || !bytes.Equal(was.id, is.id) {
				err = tell(&was, &is)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// change notes what became of one name.
func (d *differ) change(dir string, depth int, old, new *rawEntry) error {
	a := alteration{oldMode: noMode, newMode: noMode, oldID: d.none, newID: d.none}
	var below [2]string
	if old != nil {
		a.path, a.oldMode, a.oldID = path.Join(dir, string(old.name)), modeOf(old.kind), hex.EncodeToString(old.id)
	}
	if new != nil {
		a.path, a.newMode, a.newID = path.Join(dir, string(new.name)), modeOf(new.kind), hex.EncodeToString(new.id)
	}
	if a.oldMode == treeMode {
		below[0] = a.oldID
	}
	if a.newMode == treeMode {
		below[1] = a.newID
	}
	if old == nil || new == nil || !a.isDir() {
		if d.found = append(d.found, a); len(d.found) > d.repo.limits.Entries {
			return errTooMany
		}
	}
	if !a.isDir() {
		return nil
	}
	return d.walk(a.path, depth+1, below[0], below[1])
}

// read is the bytes of a tree object, vetted.
func (d *differ) read(id string) ([]byte, error) {
	if id == "" {
		return nil, nil
	}
	if raw, ok := d.trees[id]; ok {
		return raw, nil
	}
	raw, err := d.repo.read(d.ctx, id, "tree", d.repo.limits.FileBytes)
	if err != nil {
		return nil, err
	}
	return raw, d.hold(id, raw)
}

// hold vets and keeps a tree object whose id was recomputed.
func (d *differ) hold(id string, raw []byte) error {
	if refused := entries(raw, d.idBytes, func(rawEntry) {}); refused != "" {
		return &MalformedError{ID: id, Reason: "tree " + refused}
	}
	const mostHeld = 32 << 20
	if d.held += len(raw); d.held > mostHeld {
		clear(d.trees)
		d.held = len(raw)
	}
	d.trees[id] = raw
	return nil
}

// RawDiffID is the identity of what changes between two commits, in hex: SHA-256 over one line for
// each path that is not a directory, sorted by path, of
//
//	path NUL old-mode SP old-id SP new-mode SP new-id LF
//
// with modes of six octal digits and full ids, all zeros for what is not there, and no renames: what
// git diff-tree -r --no-renames prints. Two diffs have one identity only if they put the same bytes
// in the same places: neither indentation nor the place of a hunk can differ, as they can under git
// patch-id. LimitError.
func (r *Repo) RawDiffID(ctx context.Context, base, head string) (string, error) {
	id, err := r.rawDiffID(ctx, base, head)
	if errors.Is(err, errTooMany) {
		err = &LimitError{What: "changed tree entries", Limit: int64(r.limits.Entries), Where: head}
	}
	if err != nil {
		return "", fmt.Errorf("comparing %s and %s: %w", base, head, err)
	}
	return id, nil
}

func (r *Repo) rawDiffID(ctx context.Context, base, head string) (string, error) {
	before, err := r.Object(ctx, base)
	if err != nil {
		return "", err
	}
	after, err := r.Object(ctx, head)
	if err != nil {
		return "", err
	}
	found, err := r.newDiffer(ctx, len(base)).compare(before.Tree, after.Tree)
	return rawDiffID(found), err
}

func rawDiffID(found []alteration) string {
	sorted := slices.DeleteFunc(slices.Clone(found), alteration.isDir)
	slices.SortFunc(sorted, func(a, b alteration) int { return strings.Compare(a.path, b.path) })
	h := sha256.New()
	for _, a := range sorted {
		fmt.Fprintf(h, "%s\x00%s %s %s %s\n", a.path, a.oldMode, a.oldID, a.newMode, a.newID)
	}
	return hex.EncodeToString(h.Sum(nil))
}
