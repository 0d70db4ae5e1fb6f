package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// noMode is the mode that a raw diff gives to what is not there, treeMode that of a directory.
const (
	noMode   = "000000"
	treeMode = "040000"
)

// alteration is one entry of a raw diff: a path whose mode or object differs between two trees.
type alteration struct {
	path             string
	oldMode, newMode string
	oldID, newID     string
}

// isDir: the entry is about a directory itself, not about a file in it.
func (a alteration) isDir() bool { return a.oldMode == treeMode || a.newMode == treeMode }

// diffs compares pairs of trees, without looking for renames, and hands each pair's alterations to
// each. Directories are among them. more says that there were more than the limit allows; what is
// handed over is then cut.
func (r *Repo) diffs(ctx context.Context, pairs [][2]string, each func(i int, found []alteration, more bool)) error {
	if len(pairs) == 0 {
		return nil
	}
	var in bytes.Buffer
	for _, p := range pairs {
		in.WriteString(p[0] + " " + p[1] + "\n")
	}
	c := command{stdin: in.Bytes(), args: []string{"diff-tree", "--stdin", "-r", "-t", "-z", "--raw",
		"--no-abbrev", "--no-renames", "--ignore-submodules=none"}}
	r.busy.RLock()
	defer r.busy.RUnlock()
	err := r.git.stream(ctx, c, func(out io.Reader) error {
		return readDiffs(bufio.NewReaderSize(out, 64<<10), pairs, r.limits.Entries, each)
	})
	if err != nil {
		return fmt.Errorf("comparing trees: %w", err)
	}
	return nil
}

// readDiffs reads what git diff-tree prints: for each pair a line with both ids, then entries.
func readDiffs(in *bufio.Reader, pairs [][2]string, most int, each func(int, []alteration, bool)) error {
	for i, pair := range pairs {
		line, err := in.ReadString('\n')
		if err != nil {
			return io.ErrUnexpectedEOF
		}
		if line != pair[0]+" "+pair[1]+"\n" {
			return fmt.Errorf("unexpected answer %q", line)
		}
		var found []alteration
		n := 0
		for {
			if next, err := in.Peek(1); err == io.EOF && i == len(pairs)-1 || err == nil && next[0] != ':' {
				break
			}
			a, err := readAlteration(in)
			if err != nil {
				return err
			}
			if n++; n <= most {
				found = append(found, a)
			}
		}
		each(i, found, n > most)
	}
	return nil
}

// readAlteration reads ":mode mode id id status NUL path NUL".
func readAlteration(in *bufio.Reader) (alteration, error) {
	meta, err := in.ReadString(0)
	if err != nil {
		return alteration{}, io.ErrUnexpectedEOF
	}
	path, err := in.ReadString(0)
	if err != nil {
		return alteration{}, io.ErrUnexpectedEOF
	}
	f := strings.Fields(strings.Trim(meta, ":\x00"))
	if len(f) != 5 || !fullID(f[2]) || !fullID(f[3]) {
		return alteration{}, fmt.Errorf("unexpected answer %q", meta)
	}
	return alteration{path: path[:len(path)-1], oldMode: f[0], newMode: f[1], oldID: f[2], newID: f[3]}, nil
}

// RawDiffID is the identity of what changes between two commits, in hex: SHA-256 over one line for
// each path that is not a directory, sorted by path, of
//
//	path NUL old-mode SP old-id SP new-mode SP new-id LF
//
// with modes of six octal digits and full ids, all zeros for what is not there, and no renames. Two
// diffs have one identity only if they put the same bytes in the same places: neither indentation
// nor the place of a hunk can differ, as they can under git patch-id. LimitError.
func (r *Repo) RawDiffID(ctx context.Context, base, head string) (string, error) {
	trees, err := r.treesOf(ctx, base, head)
	if err != nil {
		return "", fmt.Errorf("comparing %s and %s: %w", base, head, err)
	}
	id := ""
	err = r.diffs(ctx, [][2]string{trees}, func(_ int, found []alteration, more bool) {
		if !more {
			id = rawDiffID(found)
		}
	})
	if err == nil && id == "" {
		err = &LimitError{What: "changed tree entries", Limit: int64(r.limits.Entries), Where: head}
	}
	return id, err
}

func (r *Repo) treesOf(ctx context.Context, base, head string) (trees [2]string, err error) {
	for i, id := range []string{base, head} {
		o, err := r.Object(ctx, id)
		if err != nil {
			return trees, err
		}
		trees[i] = o.Tree
	}
	return trees, nil
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
