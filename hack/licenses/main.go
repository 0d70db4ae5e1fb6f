// Command licenses lists the licence of every module that the product is built of, as the texts beside its code
// say, and fails where one is absent, not understood, or not among those that may be shipped. With -texts it prints
// the texts as well, which go with every binary.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are licences that ask for no more than to be named, and MPL-2.0, which asks for the source of its
// own files alone.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "CC0-1.0", "Unlicense"}

// sure is how much of a text a licence must cover, in percent: the rest are names and years.
const sure = 75

// headed are modules without a file for their licence, and the source file whose head names it.
var headed = map[string]string{
	"github.com/openreports/reports-api": "apis/openreports.io/v1alpha1/report_types.go",
}

// module is what Go knows of one, and the folders of its packages that are in the product.
type module struct {
	Path, Version, Dir string
	Main               bool
	folders            []string
}

func main() {
	texts := flag.Bool("texts", false, "print the texts of the licences too")
	flag.Parse()
	if err := run(os.Stdout, "../..", *texts); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// run lists the licences of the product in a folder, with their texts where they are asked for.
func run(out io.Writer, dir string, texts bool) error {
	modules, err := shipped(dir)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	var (
		problems []error
		all      collection
	)
	for _, m := range modules {
		beside, err := m.texts()
		if err != nil {
			return fmt.Errorf("reading module %s %s: %w", m.Path, m.Version, err)
		}
		found, err := licences(m, beside)
		if err != nil {
			problems = append(problems, fmt.Errorf("module %s %s: %w", m.Path, m.Version, err))
			continue
		}
		fmt.Fprintf(w, "%s %s %s\n", m.Path, m.Version, strings.Join(found, ", "))
		for _, t := range beside {
			all.add(m.Path+" "+m.Version+" "+t.name, t.body)
		}
	}
	if texts {
		if err := all.addGo(); err != nil {
			return err
		}
		all.print(w)
	}
	return errors.Join(append(problems, w.Flush())...)
}

// shipped are the modules whose packages are in the binary, sorted.
func shipped(dir string) ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", "./cmd/fairway")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing what the product is built of: %w", err)
	}
	byPath := map[string]module{}
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var p struct {
			Dir    string
			Module *module
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading what Go lists: %w", err)
		}
		if p.Module != nil && !p.Module.Main {
			m := *p.Module
			m.folders = slices.Concat(byPath[m.Path].folders, []string{p.Dir})
			byPath[m.Path] = m
		}
	}
	if len(byPath) == 0 {
		return nil, errors.New("the product is built of nothing: the check would hold for nothing")
	}
	var all []module
	for _, m := range byPath {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// licences are those of a module, by the texts beside its code.
func licences(m module, beside []text) ([]string, error) {
	var found []string
	for _, t := range beside {
		if !t.licence {
			continue
		}
		coverage := licensecheck.Scan(t.body)
		if coverage.Percent < sure {
			return nil, fmt.Errorf("%s is %.0f %% understood: read it", t.name, coverage.Percent)
		}
		var err error
		if found, err = add(found, t.name, coverage); err != nil {
			return nil, err
		}
	}
	if file, ok := headed[m.Path]; ok && len(found) == 0 {
		head, err := os.ReadFile(filepath.Join(m.Dir, file))
		if err != nil {
			return nil, err
		}
		if found, err = add(found, file, licensecheck.Scan(head)); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, errors.New("there is no licence")
	}
	return found, nil
}

// add are the licences with those of one text.
func add(found []string, file string, text licensecheck.Coverage) ([]string, error) {
	for _, match := range text.Match {
		if !slices.Contains(allowed, match.ID) {
			return nil, fmt.Errorf("%s is under %s, which is not on the list", file, match.ID)
		}
		if !slices.Contains(found, match.ID) {
			found = append(found, match.ID)
		}
	}
	return found, nil
}
