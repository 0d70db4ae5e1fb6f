package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// holds reports whether the table is sound for another server than the one that it was made from: that server adds
// nothing that the table does not know, and wherever the table says that it always does, it does, or keeps the field
// out although it is sent. What the table knows beyond that, such as fields of a newer minor, the server does not have.
func (s *surveyed) holds(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines, err := merge(s.first, s.second)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d manifests, %d of them refused; %d lines\n", s.version, len(s.corpus), len(s.refused), len(lines))
	for _, err := range s.refused {
		text, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintln(os.Stderr, "refused:", text)
	}
	table := map[string][]string{} // mark and values, by kind and pattern
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) > 2 {
			table[f[0]+"\t"+f[1]] = f[2:]
		}
	}
	var wrong []error
	for _, line := range lines {
		f := strings.Split(line, "\t")
		if at := f[0] + "\t" + f[1]; !allowed(table[at], f[2:]) {
			wrong = append(wrong, fmt.Errorf("%s adds %q, the table says %q", s.version, line, table[at]))
		}
	}
	for k, p := range s.first.places {
		if have := table[k[0]+"\t"+k[1]]; p.absent > 0 && len(have) > 0 && have[0] == "always" {
			if err := s.keepsOut(ctx, k[0], k[1], have[1]); err != nil {
				wrong = append(wrong, fmt.Errorf("%s leaves %s %s out, the table says %q: %w", s.version, k[0], k[1], have, err))
				continue
			}
			fmt.Fprintf(os.Stderr, "kept out, whether sent or not: %s %s\n", k[0], k[1])
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// keepsOut sends a field with the value that the table has for it, in the manifests that lack it: a server whose
// feature is off drops it, so that absent and this value are the same there as well.
func (s *surveyed) keepsOut(ctx context.Context, kind, pattern, value string) error {
	if strings.Contains(pattern, "[") {
		return errors.New("it is inside a list, where this program cannot send it")
	}
	at, tried := strings.Split(pattern, "."), 0
	v, err := decode([]byte(`{"v":` + value + `}`))
	if err != nil {
		return err
	}
	for i, m := range s.corpus {
		m = named(m, i, 2)
		p, err := s.srv.apply(ctx, m, "default")
		if err != nil || p.kind != kind {
			continue
		}
		_, has, err := unstructured.NestedFieldNoCopy(p.got, at...)
		if _, parent, _ := unstructured.NestedMap(p.got, at[:len(at)-1]...); has || err != nil || !parent {
			continue
		}
		if err := unstructured.SetNestedField(m, v["v"], at...); err != nil {
			return err
		}
		if p, err = s.srv.apply(ctx, m, "default"); err != nil {
			continue // the manifest may not have it
		}
		tried++
		if _, has, _ := unstructured.NestedFieldNoCopy(p.got, at...); has {
			return errors.New("sent, it is stored")
		}
	}
	if tried == 0 {
		return errors.New("no manifest takes it")
	}
	return nil
}

// allowed reports whether what a server does at a place, mark and values, is what the table says.
func allowed(table, found []string) bool {
	switch {
	case len(table) == 0:
		return false
	case table[0] == "any" || slices.Equal(table, found):
		return true
	case table[0] == "some" && (found[0] == "some" || found[0] == "always"):
		return !slices.ContainsFunc(found[1:], func(v string) bool { return !slices.Contains(table[1:], v) })
	}
	return false
}
