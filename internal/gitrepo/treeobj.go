package gitrepo

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
)

// rawEntry is one entry of a tree object, as slices of its bytes.
type rawEntry struct {
	kind Kind
	name []byte
	id   []byte // binary
}

// dirID is the id of a directory, in hex; empty for whatever else, or nothing, stands there.
func (e *rawEntry) dirID() string {
	if e == nil || e.kind != Directory {
		return ""
	}
	return hex.EncodeToString(e.id)
}

// nextEntry cuts the first entry off a tree object: mode, space, name, NUL, id in binary. It returns
// why an entry is refused: where git and a file system could see different things under one name.
func nextEntry(raw []byte, idBytes int) (e rawEntry, rest []byte, refused string) {
	mode, rest, ok := bytes.Cut(raw, []byte(" "))
	name, rest, terminated := bytes.Cut(rest, []byte{0})
	if !ok || !terminated || len(rest) < idBytes {
		return e, nil, "is cut short"
	}
	kind, ok := kindOf(string(mode))
	switch {
	case !ok:
		return e, nil, "has an entry of an unknown mode"
	case !entryName(name):
		return e, nil, "has an entry with a name that no file can have"
	}
	return rawEntry{kind: kind, name: name, id: rest[:idBytes]}, rest[idBytes:], ""
}

// entries goes through a tree object, and returns why it is refused, if it is.
func entries(raw []byte, idBytes int, found func(rawEntry)) (refused string) {
	var last rawEntry
	for len(raw) > 0 {
		var e rawEntry
		if e, raw, refused = nextEntry(raw, idBytes); refused != "" {
			return refused
		}
		if last.name != nil {
			switch c := last.compare(e); {
			case c > 0:
				return "is not sorted"
			case c == 0:
				return "has two entries of one name"
			}
		}
		found(e)
		last = e
	}
	return ""
}

// sameEntry is the length of the entry that two tree objects begin with, or 0 where they begin otherwise.
func sameEntry(a, b []byte, idBytes int) int {
	n := bytes.IndexByte(a, 0) + 1 + idBytes
	if n > len(a) || n > len(b) || !bytes.Equal(a[:n], b[:n]) {
		return 0
	}
	return n
}

// kindOf is what a mode in a tree object means. 100664 was written by the first versions of git.
func kindOf(mode string) (Kind, bool) {
	switch mode {
	case "100644", "100664":
		return File, true
	case "100755":
		return Executable, true
	case "40000":
		return Directory, true
	case "120000":
		return Symlink, true
	case "160000":
		return Submodule, true
	}
	return "", false
}

// modeOf is the mode that a raw diff gives to a kind.
func modeOf(k Kind) string {
	switch k {
	case File:
		return "100644"
	case Executable:
		return "100755"
	case Directory:
		return treeMode
	case Symlink:
		return "120000"
	}
	return moduleMode
}

func entryName(s []byte) bool {
	return len(s) > 0 && string(s) != "." && string(s) != ".." && !bytes.EqualFold(s, []byte(".git")) && bytes.IndexByte(s, '/') < 0
}

// compare orders entries as git does: a directory as if its name ended in a slash.
func (e rawEntry) compare(o rawEntry) int {
	n := min(len(e.name), len(o.name))
	if c := bytes.Compare(e.name[:n], o.name[:n]); c != 0 {
		return c
	}
	return int(e.at(n)) - int(o.at(n))
}

func (e rawEntry) at(i int) byte {
	switch {
	case i < len(e.name):
		return e.name[i]
	case e.kind == Directory:
		return '/'
	}
	return 0
}

// listing is the content of one tree object.
type listing struct {
	entries []Entry // sorted by name
	byName  map[string]Entry
}

// parseTree reads a tree object whole. It returns why an object is refused.
func parseTree(raw []byte, idBytes int) (l listing, refused string) {
	l.byName = map[string]Entry{}
	twice := false
	refused = entries(raw, idBytes, func(e rawEntry) {
		full := Entry{Name: string(e.name), Kind: e.kind, ID: hex.EncodeToString(e.id)}
		_, seen := l.byName[full.Name]
		twice = twice || seen
		l.entries, l.byName[full.Name] = append(l.entries, full), full
	})
	if refused == "" && twice {
		refused = "has two entries of one name"
	}
	if refused != "" {
		return listing{}, refused
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return l, ""
}
