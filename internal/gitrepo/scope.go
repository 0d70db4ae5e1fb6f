package gitrepo

import (
	"path"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// scope is a closure made ready to be asked which alterations matter to it (ruling 21).
type scope struct {
	prefix string
	exact  map[string]bool // files, and names that were looked up in vain
	dirs   map[string]bool // listed directories
	above  map[string]bool // everything that stands above one of these
}

// place is one thing that a render depends on: what is at a path, or a name in a listing. A file
// and a directory of one path are two places, since a comparison can end one and begin the other.
type place struct {
	path   string
	dir    bool
	listed bool // only the name and mode count
}

// shift is what one comparison did to one place; empty for what is not there.
type shift struct {
	at       place
	old, new string
}

func newScope(c change.Closure) scope {
	s := scope{prefix: c.Prefix, exact: map[string]bool{}, dirs: map[string]bool{}, above: map[string]bool{}}
	if s.prefix == "" {
		s.prefix = "." // an unknown folder is the whole tree
	}
	for _, p := range slices.Concat(c.Files, c.Missing) {
		s.exact[p] = true
		s.climb(p)
	}
	for _, p := range c.Dirs {
		s.dirs[p] = true
		s.climb(p)
	}
	s.climb(s.prefix)
	return s
}

func (s scope) climb(p string) {
	for d := path.Dir(p); d != "." && d != "/"; d = path.Dir(d) {
		s.above[d] = true
	}
}

// shifts are the places of the scope that some alterations concern.
func (s scope) shifts(found []alteration) []shift {
	var all []shift
	for _, a := range found {
		old, new := state(a.oldMode, a.oldID), state(a.newMode, a.newID)
		if old != new && s.reads(a) {
			all = append(all, shift{place{path: a.path, dir: a.isDir()}, old, new})
		}
		if a.oldMode != a.newMode && (s.dirs[path.Dir(a.path)] || s.dirs[a.path]) {
			all = append(all, shift{place{a.path, a.isDir(), true}, mode(a.oldMode), mode(a.newMode)})
		}
	}
	return all
}

// reads: the path is one that was read or looked up, it is in the source's folder, or it is in the
// way of one of these, as a file or link where a directory would be.
func (s scope) reads(a alteration) bool {
	if s.prefix == "." || a.path == s.prefix || strings.HasPrefix(a.path, s.prefix+"/") {
		return true
	}
	return s.exact[a.path] || s.above[a.path] && (inTheWay(a.oldMode) || inTheWay(a.newMode))
}

func inTheWay(mode string) bool { return mode != treeMode && mode != noMode }

// state is what stands at a path. Of a directory only that it is one: its content has paths of its
// own.
func state(m, id string) string {
	if m == noMode || m == treeMode {
		return mode(m)
	}
	return m + " " + id
}

func mode(m string) string {
	if m == noMode {
		return ""
	}
	return m
}
