package gitrepo

import (
	"errors"
	"testing"
)

// A tip is kept from one fetch to the next, and no longer: not when the branch moves on, is rewound or
// goes.
func TestTipsAreKeptUntilTheNextFetch(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.commit("1", ground.with("a", "1"), c0)
	f.set("refs/heads/other", c0)
	f.set("refs/heads/main", c0)
	m := f.mirror(Options{Branches: []string{"main", "other"}})
	for _, step := range []struct {
		name string
		move func()
		want string // none: the branch is gone
	}{
		{"as it was fetched", func() {}, c0},
		{"moved on", func() { f.set("refs/heads/main", c1) }, c1},
		{"rewound", func() { f.set("refs/heads/main", c0) }, c0},
		{"gone", func() { f.git("update-ref", "-d", "refs/heads/main") }, ""},
		{"back", func() { f.set("refs/heads/main", c1) }, c1},
	} {
		step.move()
		if _, err := m.Fetch(ctx(t)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for range 2 {
			tip, err := m.Tip(ctx(t), "main")
			if tip != step.want || errors.Is(err, ErrNotFound) != (step.want == "") {
				t.Errorf("%s: tip %q, %v, want %q", step.name, tip, err, step.want)
			}
		}
		if m.tips.known["main"] != step.want {
			t.Errorf("%s: kept %q", step.name, m.tips.known["main"])
		}
	}
}

// What was read while a fetch was at work is not kept.
func TestTipsReadAcrossAFetch(t *testing.T) {
	kept := &tips{known: map[string]string{}}
	for _, tip := range []string{"old", "new"} {
		got, err := kept.of("main", func() (string, error) {
			if tip == "old" {
				kept.forget()
			}
			return tip, nil
		})
		if got != tip || err != nil {
			t.Errorf("tip %q, %v, want %q", got, err, tip)
		}
	}
}
