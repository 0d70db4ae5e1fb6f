// Package internal holds the tests of the house itself: who may import whom, and the habits that every
// room keeps. The rules are read from the source files, so a broken one fails with its reason before
// anything is built.
package internal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// row is one rule of the stairs: what the packages that match may import, and why no more. The first
// row that matches a package decides; a package that no row matches is refused, so that a new room is
// a decision (docs/adr) and not an accident.
//
// Patterns are paths below the module's root, or import paths from outside of it. "x/..." matches x and
// all below it. "std" is the whole standard library, "pure" the part of it without input, output, clock
// and chance.
type row struct {
	packages []string
	allow    []string
	why      string
}

// ground are the rooms that hold the judgement.
var ground = []string{"internal/change", "internal/tier", "internal/policy", "internal/canon", "internal/ledger"}

// stairs is the house's plan, from the ground up.
func stairs() []row {
	const judgement = "the ground is the judgement: it must give the same answer to webhook, check, replay and audit, " +
		"so it reads no file, no socket, no clock and no chance"
	const adapter = "an adapter knows one outside thing and the ground's vocabulary; adapters that know each other " +
		"or a use case can neither be swapped nor be tested alone"
	const door = "a door brings requests in and verdicts out; the adapters behind it are wired by cmd alone, " +
		"so that each door works with each of them"
	rows := []row{
		{[]string{"internal/change"}, []string{"pure"}, judgement},
		{[]string{"internal/tier"}, []string{"pure", "internal/change"}, judgement},
		{[]string{"internal/policy"}, []string{"pure", "internal/change", "internal/tier"}, judgement},
		{[]string{"internal/ledger"}, []string{"pure", "internal/change", "internal/tier", "internal/policy"}, judgement},
		{
			[]string{"internal/canon"},
			[]string{
				"pure", "internal/change", "sigs.k8s.io/structured-merge-diff/v6/...",
				"k8s.io/apimachinery/...", "sigs.k8s.io/json",
			},
			judgement + "; field sets and typed values are the API server's own, because a second reading of them would differ from it",
		},
		{[]string{"api/..."}, []string{"pure", "api/...", "k8s.io/apimachinery/..."},
			"others import the API's types; what they need for it must not bring clients or controllers along"},
		{[]string{"internal/gate/..."}, above([]string{"std", "internal/gate/...", "api/..."}),
			"the gate asks in an order; whom it asks is behind interfaces of its own, so it can be tested without a cluster"},
		{[]string{"internal/prover/..."}, above([]string{"std", "internal/prover/...", "api/...", "golang.org/x/sync/..."}),
			"the prover asks in an order; git, keys and renderers are behind interfaces of its own, so it can be tested without them"},
	}
	for _, room := range []string{
		"internal/gitrepo", "internal/signature", "internal/attest", "internal/forge",
		"internal/origin", "internal/render", "internal/schema", "internal/store", "internal/telemetry", "internal/authority",
	} {
		allow := above([]string{"std", "outside", room + "/..."})
		if room == "internal/store" {
			allow = append(allow, "api/...") // the store is what compiles our kinds
		}
		rows = append(rows, row{[]string{room + "/..."}, allow, adapter})
	}
	for room, hall := range map[string][]string{
		"internal/webhook":    {"internal/gate/..."},
		"internal/controller": {"internal/prover/...", "api/..."},
		"internal/cli":        {"internal/gate/...", "internal/prover/..."},
		"internal/board":      {"internal/gate/...", "internal/prover/..."},
	} {
		allow := append(above([]string{"std", "outside", room + "/..."}), hall...)
		rows = append(rows, row{[]string{room + "/..."}, allow, door})
	}
	return append(rows, row{
		[]string{"cmd/...", "config/...", "e2e/...", "hack/..."},
		[]string{"std", "outside", "cmd/...", "config", "api/...", "internal/...", "e2e/...", "hack/..."},
		"the roof wires, and the tests stand outside: nothing imports them",
	})
}

// above adds the ground to what a package may import.
func above(rest []string) []string { return append(slices.Clone(ground), rest...) }

// gatePath are the rooms that a request walks through, and what none of the packages they reach in this
// module may import.
var gatePath = []string{"internal/gate", "internal/webhook", "internal/policy", "internal/canon", "internal/store"}

var gateBans = map[string]string{
	"os/exec":   "the gate starts no program: a verdict is a look-up and a comparison",
	"plugin":    "the gate loads no code",
	"net/smtp":  "the gate talks to nothing but the API server",
	"net/rpc":   "the gate talks to nothing but the API server",
	"os/signal": "signals are the roof's",
}

// impure are the parts of the standard library that "pure" leaves out, and all below them.
var impure = []string{
	"os", "net", "context", "syscall", "log", "io/ioutil", "io/fs", "path/filepath", "database", "plugin",
	"runtime", "testing", "math/rand", "crypto/rand", "crypto/tls", "crypto/x509", "unsafe", "internal", "flag", "expvar",
}

// pureAnyway are packages below an impure one that neither read nor write anything outside.
var pureAnyway = []string{"net/netip", "net/url", "net/mail"}

// clock are the names of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Sleep"}

// matches reports whether an import falls under a pattern of the table.
func matches(pattern, path string) bool {
	std := !strings.Contains(path, ".") && !isOurs(path)
	switch pattern {
	case "std":
		return std
	case "outside":
		return !std && !isOurs(path)
	case "pure":
		below := func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
		return std && (slices.ContainsFunc(pureAnyway, below) || !slices.ContainsFunc(impure, below))
	}
	if root, tree := strings.CutSuffix(pattern, "/..."); tree {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

// isOurs reports whether a path, already cut to the module's root, is a folder of this module.
func isOurs(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return slices.Contains(tops, top)
}

// climb returns each import of the package that the stairs forbid.
func climb(rows []row, p *pkg) []string {
	for _, r := range rows {
		if !slices.ContainsFunc(r.packages, func(pattern string) bool { return matches(pattern, p.path) }) {
			continue
		}
		var found []string
		for _, imported := range p.imports() {
			if !slices.ContainsFunc(r.allow, func(pattern string) bool { return matches(pattern, imported) }) {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.path, imported, r.why))
			}
		}
		return found
	}
	return []string{p.path + " has no row in the table: a new room is a decision; write it down in docs/adr and add its row"}
}

// reach follows the imports within the module, from one package to all that it reaches, and returns how
// each was reached.
func reach(all map[string]*pkg, from string) map[string]string {
	seen := map[string]string{from: from}
	queue := []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range all[at].imports() {
			if _, done := seen[next]; !done && all[next] != nil {
				seen[next] = seen[at] + " → " + next
				queue = append(queue, next)
			}
		}
	}
	return seen
}

func TestStairs(t *testing.T) {
	rows := stairs()
	for _, p := range load(t) {
		if len(p.code()) == 0 {
			continue // tests alone, as this package
		}
		for _, broken := range climb(rows, p) {
			t.Error(broken)
		}
	}
}

// TestGatePath holds the ban over everything of ours that a request walks through.
func TestGatePath(t *testing.T) {
	all := load(t)
	for _, room := range gatePath {
		if all[room] == nil {
			continue
		}
		for _, broken := range banned(all, room) {
			t.Error(broken)
		}
	}
}

// banned returns each import of the gate's bans that a room reaches.
func banned(all map[string]*pkg, room string) []string {
	var found []string
	for path, way := range reach(all, room) {
		for _, imported := range all[path].imports() {
			if why, is := gateBans[imported]; is {
				found = append(found, way+" → "+imported+": "+why)
			}
		}
	}
	return found
}

// TestGroundHasNoClock looks for calls that the import table cannot see: time's values are pure, its
// clock is not. Who asks for a judgement brings the time along.
func TestGroundHasNoClock(t *testing.T) {
	for path, p := range load(t) {
		if slices.Contains(ground, path) {
			for _, use := range p.uses("time", clock) {
				t.Errorf("%s: the judgement has no clock; take the time as a value", use)
			}
		}
	}
}

// TestTheTableBites holds that the checks above can fail.
func TestTheTableBites(t *testing.T) {
	rows := stairs()
	for _, tc := range []struct {
		path, imported string
		refused        bool
	}{
		{"internal/change", "strings", false},
		{"internal/change", "os", true},
		{"internal/change", "net/http", true},
		{"internal/change", "net/url", false},
		{"internal/change", "context", true},
		{"internal/change", "internal/tier", true},
		{"internal/policy", "crypto/rand", true},
		{"internal/policy", "crypto/sha256", false},
		{"internal/policy", "k8s.io/api/core/v1", true},
		{"internal/canon", "sigs.k8s.io/structured-merge-diff/v6/fieldpath", false},
		{"internal/canon", "k8s.io/client-go/rest", true},
		{"internal/gitrepo", "internal/signature", true},
		{"internal/gitrepo", "internal/prover", true},
		{"internal/gitrepo", "golang.org/x/crypto/ssh", false},
		{"internal/render/kustomize", "internal/render", false},
		{"internal/webhook", "internal/gate", false},
		{"internal/webhook", "internal/store", true},
		{"internal/cli", "internal/attest", true},
		{"internal/store", "api/v1alpha1", false},
		{"internal/origin", "api/v1alpha1", true},
		{"internal/gate", "cmd/fairway", true},
		{"internal/gate", "internal/store", true},
		{"api/v1alpha1", "sigs.k8s.io/controller-runtime", true},
		{"cmd/fairway", "internal/gitrepo", false},
		{"internal/newroom", "strings", true},
	} {
		p := &pkg{path: tc.path, files: []*source{parsed(t, "x.go", "package x\nimport _ \""+prefixed(tc.imported)+"\"\n")}}
		if got := len(climb(rows, p)) > 0; got != tc.refused {
			t.Errorf("%s imports %s: refused is %t, want %t", tc.path, tc.imported, got, tc.refused)
		}
	}
	house := map[string]*pkg{}
	for path, imported := range map[string]string{"internal/gate": "internal/tier", "internal/tier": "os/exec"} {
		house[path] = &pkg{path: path, files: []*source{parsed(t, "x.go", "package x\nimport _ \""+prefixed(imported)+"\"\n")}}
	}
	const way = "internal/gate → internal/tier → os/exec"
	if got := banned(house, "internal/gate"); len(got) != 1 || !strings.HasPrefix(got[0], way) {
		t.Errorf("found %v, want %s", got, way)
	}
	timed := parsed(t, "x.go", "package x\nimport \"time\"\nvar a = time.Now()\nvar b time.Duration\nvar c = time.Unix\n")
	if got := (&pkg{files: []*source{timed}}).uses("time", clock); len(got) != 1 {
		t.Errorf("found %v, want the one call of time.Now", got)
	}
}

// prefixed is the import path of a path below the module's root, and any other path as it is.
func prefixed(path string) string {
	if isOurs(path) {
		return module + "/" + path
	}
	return path
}
