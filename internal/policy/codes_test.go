package policy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestCodes: codes and names are unique and in order, every text is there, and none of them could
// be taken for an immutable-field error.
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	last := Code("")
	for _, e := range Codes() {
		if seen[string(e.Code)] || seen[e.Name] || e.Code <= last {
			t.Errorf("%s %s is there twice or out of order", e.Code, e.Name)
		}
		seen[string(e.Code)], seen[e.Name], last = true, true, e.Code
		if !regexp.MustCompile(`^FW\d{3}$`).MatchString(string(e.Code)) || !regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(e.Name) {
			t.Errorf("%s %s is not spelled like a code and a name", e.Code, e.Name)
		}
		if e.Reason == "" || e.Means == "" || e.Remedy == "" && e.Code >= "FW100" {
			t.Errorf("%s has an empty text", e.Code)
		}
		if dangerous(e.Reason + " " + e.Means + " " + e.Remedy + " " + e.Name) {
			t.Errorf("%s could be taken for an immutable-field error", e.Code)
		}
		left := fill(e.Remedy, webCommit, "shop", "https://git.example.com/apps") + fill(e.Remedy, "", "", "")
		if strings.ContainsAny(left, "{}") {
			t.Errorf("%s has an unknown place in its remedy: %s", e.Code, left)
		}
		if Lookup(e.Code) != e {
			t.Errorf("%s is looked up as %v", e.Code, Lookup(e.Code))
		}
	}
	if Lookup("FW999").Code != CodeCannotTell {
		t.Error("an unknown code is looked up as something it is not")
	}
}

// TestEveryCodeIsUsed: there is a case or a situation for each code, so no code is dead.
func TestEveryCodeIsUsed(t *testing.T) {
	used := map[Code]bool{}
	for _, path := range casePaths(t) {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range readStory(t, ar).verdict().Findings {
			used[f.Code] = true
		}
	}
	required := production()
	required.Declared = tier.DeclaredRequired
	for _, s := range situations() {
		for _, x := range []tier.Tier{production(), staging(), sandbox(), required} {
			for _, f := range Admit(s.make(x)).Findings {
				used[f.Code] = true
			}
		}
	}
	for _, f := range Admit(proven(production())).Outdated(2, 1).Findings {
		used[f.Code] = true
	}
	for _, e := range Codes() {
		if !used[e.Code] {
			t.Errorf("%s %s: no case and no situation has it", e.Code, e.Name)
		}
	}
}

// TestReferenceIsFresh keeps docs/reference/codes.md in step with the tables of this package.
func TestReferenceIsFresh(t *testing.T) {
	golden(t, "../../docs/reference/codes.md", reference())
}

// reference is the page on verdicts: codes, rules, lanes, and the tables of sub-resources and of
// built-in controllers.
func reference() string {
	var b strings.Builder
	b.WriteString("# Verdicts\n\nThis page is written by `go test ./internal/policy -run TestReferenceIsFresh -update`.\n")
	b.WriteString("\n## Codes\n\nA code is stable: its meaning never changes. A denial begins with the code that weighs most.\n\n| code | name | reason | meaning | what to do |\n|---|---|---|---|---|\n")
	for _, e := range Codes() {
		remedy := strings.NewReplacer("{commit}", "COMMIT", "{namespace}", "NAMESPACE", "{repository}", "URL").Replace(e.Remedy)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", e.Code, e.Name, e.Reason, e.Means, remedy)
	}
	b.WriteString("\n## Rules of a tier\n\nAll rules of a gated tier speak about each commit, in this order; the worst of what they say is the verdict.\nOnly missing approvals leave a commit pending.\n\n| rule | codes | what it asks |\n|---|---|---|\n")
	for _, r := range rules() {
		codes := make([]string, len(r.codes))
		for i, c := range r.codes {
			codes[i] = string(c)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.name, strings.Join(codes, ", "), r.spec)
	}
	b.WriteString("\n## Lanes\n\nA request is admitted by the first of these lanes that takes it, before each tier that must allow it:\n\n")
	for _, l := range lanes() {
		fmt.Fprintf(&b, "1. %s\n", l.name)
	}
	b.WriteString("\n## Sub-resources\n\nA sub-resource without a row asks for a controller.\n\n| sub-resource | asks | why |\n|---|---|---|\n")
	for _, r := range subresources() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.subresource, asked(r.asks), r.why)
	}
	b.WriteString("\n## Built-in controllers\n\nWhat Kubernetes itself may do in a gated tier without a proof. Nothing that Git attests changes this way.\nOther controllers are listed in `controllers` of a tier or binding.\n\n| who | does | to | where | sets | why |\n|---|---|---|---|---|---|\n")
	for _, r := range builtins() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Name, strings.ToLower(strings.Join(r.Operations, ", ")), target(r), place(r), sets(r), r.Why)
	}
	return b.String()
}

func sets(r remit) string {
	s := strings.Join(r.Fields, ", ")
	if r.takesOff {
		s += "; takes off, puts nothing there"
	}
	return s
}

func asked(a asks) string {
	return [...]string{"a controller", "that only `.status` changes", "`connect` of the tier", "`scale` of the tier", "a living controller"}[a]
}

func target(r remit) string {
	s := strings.TrimPrefix(r.Groups[0]+"/"+r.Kinds[0], "/")
	if r.Kinds[0] == "*" {
		s = "any kind"
		if r.Groups[0] != "*" {
			s += " of " + r.Groups[0]
		}
	}
	if r.subresource != "" {
		s += ", " + r.subresource
	}
	return s
}

func place(r remit) string {
	var parts []string
	if r.names != nil {
		parts = append(parts, "called "+strings.Join(r.names, ", "))
	}
	if len(r.OwnerKinds) > 0 {
		a := "owned by a living "
		if r.when == ownerGone {
			a = "of a "
		}
		parts = append(parts, a+strings.TrimPrefix(strings.Join(r.OwnerKinds, ", "), "/"))
	}
	if w := [...]string{"", "all owners gone", "that is gone", "the namespace is being deleted", "the object is being deleted", "some owner lives, or it has none"}[r.when]; w != "" {
		parts = append(parts, w)
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), "; that", " that")
}

// TestBuiltinTable: every row says why, has bounds, and is found for the user it is about.
func TestBuiltinTable(t *testing.T) {
	for _, r := range builtins() {
		if r.Why == "" || r.Name == "" || len(r.Operations) == 0 || len(r.Kinds) != 1 || len(r.Groups) != 1 {
			t.Errorf("row %q is not filled in: %+v", r.Name, r)
		}
		if !r.builtin || r.of != everyTier {
			t.Errorf("row %q is not marked as built in", r.Name)
		}
		if !r.nodes && !ofTheSystem(r.Users[0]) {
			t.Errorf("row %q is never looked for: %q", r.Name, r.Users[0])
		}
		if r.Kinds[0] == "*" && r.when == always && len(r.Fields) == 0 && !slices.Contains([]string{"system:apiserver"}, r.Name) {
			t.Errorf("row %q has no bounds", r.Name)
		}
	}
}

// TestRuling16OwnersCanBeLookedUp: a row that asks for a living owner admits nothing where the gate may not read such
// owners, and the controller is refused for ever.
func TestRuling16OwnersCanBeLookedUp(t *testing.T) {
	for _, role := range []string{"fairway", "gate"} {
		raw, err := os.ReadFile("../../config/rbac/" + role + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		read := map[string]bool{}
		for _, rule := range regexp.MustCompile(`(?m)- apiGroups: \[(.*)\]\n    resources: \[(.*)\]\n    verbs: \[get`).FindAllStringSubmatch(string(raw), -1) {
			for _, resource := range strings.Split(rule[2], ", ") {
				read[strings.Trim(rule[1], `"`)+"/"+resource] = true
			}
		}
		for _, r := range builtins() {
			for _, kind := range r.OwnerKinds {
				resource := strings.ToLower(kind)
				if !strings.HasSuffix(resource, "s") {
					resource += "s"
				}
				if !read[resource] {
					t.Errorf("%s: %s asks for a living %s, and the role may not get %s", role, r.Name, kind, resource)
				}
			}
		}
	}
}
