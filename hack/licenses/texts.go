package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// text is a file that a module's authors want to go with it. Only a licence is checked: a notice names people.
type text struct {
	name    string // below the module's root
	body    []byte
	licence bool
}

// texts are a module's own and those of the folders on the way to a package that is in the product: code that was
// taken from elsewhere lies beside the licence that it came with.
func (m module) texts() ([]text, error) {
	folders := map[string]bool{m.Dir: true}
	for _, folder := range m.folders {
		for ; strings.HasPrefix(folder, m.Dir+string(filepath.Separator)); folder = filepath.Dir(folder) {
			folders[folder] = true
		}
	}
	var found []text
	for folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			licence, notice := kind(e.Name())
			if e.IsDir() || !licence && !notice {
				continue
			}
			path := filepath.Join(folder, e.Name())
			body, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(m.Dir, path)
			if err != nil {
				return nil, err
			}
			found = append(found, text{name, body, licence})
		}
	}
	slices.SortFunc(found, func(a, b text) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

// kind says by its name whether a file is a licence, or a notice that Apache-2.0 wants handed on. Source that is
// about licences is neither, nor is the licence of documentation, which is in no binary.
func kind(name string) (licence, notice bool) {
	name = strings.ToUpper(name)
	if ext := filepath.Ext(name); ext == ".GO" || ext == ".DOCS" {
		return false, false
	}
	begins := func(with ...string) bool {
		return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(name, w) })
	}
	return begins("LICEN", "COPYING", "UNLICENSE"), begins("NOTICE", "COPYRIGHT", "PATENTS")
}

// collection are texts, each once, and whose they are.
type collection struct {
	bodies []string
	of     map[string][]string
}

// add has a text belong to somebody.
func (c *collection) add(whose string, body []byte) {
	if c.of == nil {
		c.of = map[string][]string{}
	}
	key := strings.TrimSpace(string(body))
	if c.of[key] == nil {
		c.bodies = append(c.bodies, key)
	}
	c.of[key] = append(c.of[key], whose)
}

// addGo adds the licence of the standard library and the runtime, which are in every binary.
func (c *collection) addGo() error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("asking where Go is: %w", err)
	}
	for _, name := range []string{"LICENSE", "PATENTS"} {
		body, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), name))
		if err != nil {
			return fmt.Errorf("reading the licence of Go: %w", err)
		}
		c.add("Go's standard library "+name, body)
	}
	return nil
}

// print writes each text below the names of those whose it is.
func (c *collection) print(w io.Writer) {
	fmt.Fprintln(w, "\nThe source of each is the module of that path and version, which any Go module proxy serves.")
	for _, body := range c.bodies {
		fmt.Fprintf(w, "\n%s\n", strings.Repeat("=", 80))
		for _, whose := range c.of[body] {
			fmt.Fprintln(w, whose)
		}
		fmt.Fprintf(w, "%s\n\n%s\n", strings.Repeat("-", 80), body)
	}
}
