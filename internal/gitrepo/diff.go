package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// errTooMany ends a comparison that brings more than the limit allows.
var errTooMany = errors.New("too many changed entries")

// diffs compares pairs of trees, without looking for renames, and hands each pair's alterations to
// each, in order. Directories are among them. A pair that differs in more places than the limit
// allows is handed over as nil and tooMany; the others are compared all the same. each must not ask
// the repository anything.
func (r *Repo) diffs(ctx context.Context, pairs [][2]string, each func(i int, found []alteration, tooMany bool)) error {
	r.busy.RLock()
	defer r.busy.RUnlock()
	for done := 0; done < len(pairs); {
		var in bytes.Buffer
		for _, p := range pairs[done:] {
			in.WriteString(p[0] + " " + p[1] + "\n")
		}
		c := command{stdin: in.Bytes(), args: []string{"diff-tree", "--stdin", "-r", "-t", "-z", "--raw",
			"--no-abbrev", "--no-renames", "--ignore-submodules=none"}}
		err := r.git.stream(ctx, c, func(out io.Reader) error {
			in := bufio.NewReaderSize(out, 64<<10)
			for done < len(pairs) {
				found, err := readDiff(in, pairs[done], r.limits.Entries)
				if err != nil && err != errTooMany {
					return err
				}
				each(done, found, err == errTooMany)
				if done++; err != nil {
					return err // git is ended here, and begun anew for the rest
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errTooMany) {
			return fmt.Errorf("comparing trees: %w", err)
		}
	}
	return nil
}

// readDiff reads what git diff-tree prints for one pair: a line with both ids, then entries.
func readDiff(in *bufio.Reader, pair [2]string, most int) ([]alteration, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if line != pair[0]+" "+pair[1]+"\n" {
		return nil, fmt.Errorf("unexpected answer %q", line)
	}
	var found []alteration
	for {
		next, err := in.Peek(1)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == io.EOF || next[0] != ':' {
			return found, nil
		}
		a, err := readAlteration(in)
		if err != nil {
			return nil, err
		}
		if found = append(found, a); len(found) > most {
			return nil, errTooMany
		}
	}
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
	err = r.diffs(ctx, [][2]string{trees}, func(_ int, found []alteration, tooMany bool) {
		if !tooMany {
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
