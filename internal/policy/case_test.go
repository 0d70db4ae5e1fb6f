package policy

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

var update = flag.Bool("update", false, "write golden files anew")

// story is one case of testdata/cases: a tier, the people, the evidence about one commit, and the
// verdict that the judge gives. The format is told in testdata/cases/README.md.
type story struct {
	tier     tier.Tier
	binding  tier.Binding
	people   tier.People
	evidence change.Evidence
}

func (s story) verdict() Verdict { return Evaluate(s.tier, s.binding, s.people, s.evidence) }

// TestCases runs every case and compares the whole verdict.
func TestCases(t *testing.T) {
	for _, path := range casePaths(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := readStory(t, ar)
			if want, _, _ := strings.Cut(filepath.Base(path), "_"); want != s.tier.Name {
				t.Errorf("the file is named after tier %q, and the tier is %q", want, s.tier.Name)
			}
			got := render(s.verdict())
			if *update {
				ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == "verdict" })
				ar.Files = append(ar.Files, txtar.File{Name: "verdict", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(section(ar, "verdict"), got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCasesCoverEveryRule: each rule has a case in which it asks for something and is met in a
// verdict that allows, and one in which nothing but this rule refuses.
func TestCasesCoverEveryRule(t *testing.T) {
	allow, deny := map[string]bool{}, map[string]bool{}
	for _, path := range casePaths(t) {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := readStory(t, ar)
		v := s.verdict()
		for _, r := range rules() {
			all := slices.ContainsFunc(v.Findings, func(f Finding) bool {
				return slices.Contains(r.codes, f.Code) && f.Outcome == Allow && !strings.HasPrefix(f.Detail, "the tier ")
			})
			alone := !slices.ContainsFunc(v.Findings, func(f Finding) bool {
				return f.Outcome != Allow && !slices.Contains(r.codes, f.Code)
			})
			allow[r.name] = allow[r.name] || v.Outcome == Allow && all
			deny[r.name] = deny[r.name] || v.Outcome != Allow && alone
		}
	}
	for _, r := range rules() {
		if !allow[r.name] {
			t.Errorf("rule %q has no case that allows", r.name)
		}
		if !deny[r.name] {
			t.Errorf("rule %q has no case in which it alone refuses", r.name)
		}
	}
}

func casePaths(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^[a-z]+_[a-z0-9-]+\.txtar$`)
	var paths []string
	for _, e := range entries {
		switch {
		case name.MatchString(e.Name()):
			paths = append(paths, filepath.Join("testdata/cases", e.Name()))
		case e.Name() != "README.md":
			t.Errorf("%s is no case: a case is called <tier>_<story>.txtar", e.Name())
		}
	}
	if len(paths) == 0 {
		t.Fatal("there are no cases")
	}
	return paths
}

func section(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// render writes a verdict as cases keep it.
func render(v Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s\n", v.Outcome, v.Lane)
	for _, f := range v.Findings {
		fmt.Fprintf(&b, "%s %s: %s", f.Code, f.Outcome, f.Detail)
		if len(f.Who) > 0 {
			fmt.Fprintf(&b, " [%s]", strings.Join(f.Who, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func readStory(t *testing.T, ar *txtar.Archive) story {
	t.Helper()
	for _, f := range ar.Files {
		if !slices.Contains([]string{"tier", "people", "evidence", "verdict"}, f.Name) {
			t.Fatalf("unknown section %q", f.Name)
		}
	}
	s := story{
		tier: tier.Tier{Lane: tier.Gated, Declared: tier.DeclaredOptional},
		binding: tier.Binding{Namespace: "shop", Sources: []tier.Source{
			{Name: "web", Repository: "deploy", Branch: "main", Path: "shop"},
		}},
		evidence: change.Evidence{
			Repository: "deploy", URL: "https://git.example.com/deploy", Branch: "main", Source: "web", Namespace: "shop",
			Base: "base0000", OnBranch: change.Present, Continuous: change.Present, Rendered: change.Present,
		},
	}
	words(t, ar, "tier", s.readTier)
	s.readPeople(t, section(ar, "people"))
	words(t, ar, "evidence", s.readEvidence)
	if n := len(s.evidence.Steps); n > 0 && s.evidence.Commit.ID == "" {
		s.evidence.Commit = landed(s.evidence.Steps[n-1])
	}
	return s
}

// words calls read with the words of each line of a section that is neither empty nor a comment.
func words(t *testing.T, ar *txtar.Archive, name string, read func(*testing.T, []string)) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(section(ar, name)))
	for lines.Scan() {
		if w := strings.Fields(lines.Text()); len(w) > 0 && w[0] != "#" {
			read(t, w)
		}
	}
}

func (s *story) readTier(t *testing.T, w []string) {
	switch arg := w[1:]; w[0] {
	case "name":
		s.tier.Name = arg[0]
	case "lane":
		s.tier.Lane = tier.Lane(arg[0])
	case "branches":
		s.tier.Branches = arg
	case "signatures":
		s.tier.Signatures = tier.SignatureRule{Require: tier.SignatureScope(arg[0]), From: arg[1:]}
	case "reciprocal":
		s.tier.Reciprocal = true
	case "trailer":
		s.tier.Trailers = append(s.tier.Trailers, tier.TrailerRule{Key: arg[0], Pattern: pattern(arg[1]), Message: strings.Join(arg[2:], " ")})
	case "approval": // name minimum from [teams=a,b] [level=Forge] [authors=a,b]
		n, err := strconv.Atoi(arg[1])
		if err != nil {
			t.Fatal(err)
		}
		r := tier.ApprovalRule{Name: arg[0], Minimum: n, From: tier.From(arg[2])}
		for _, option := range arg[3:] {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "teams":
				r.Teams = strings.Split(value, ",")
			case "level":
				r.Level = tier.Level(value)
			case "authors":
				r.When.AuthorIn = strings.Split(value, ",")
			default:
				t.Fatalf("unknown option %q", option)
			}
		}
		s.tier.Approvals = append(s.tier.Approvals, r)
	default:
		t.Fatalf("unknown word %q in tier", w[0])
	}
}

// readPeople reads lines "team: name name robot!"; a name with "!" is a robot. Everybody has the
// address <name>@example.com and a key.
func (s *story) readPeople(t *testing.T, text string) {
	t.Helper()
	var teams []tier.TeamSpec
	for line := range strings.Lines(text) {
		team, names, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		spec := tier.TeamSpec{Name: team}
		for _, n := range strings.Fields(names) {
			name, robot := strings.CutSuffix(n, "!")
			spec.Principals = append(spec.Principals, person(name, robot))
		}
		teams = append(teams, spec)
	}
	people, conflicts := tier.NewPeople("people", teams)
	if len(conflicts) > 0 {
		t.Fatal(conflicts)
	}
	s.people = people
}

func person(name string, robot bool) tier.Principal {
	return tier.Principal{
		Name: name, Robot: robot, Emails: []string{name + "@example.com"}, Users: []string{name},
		Keys: []tier.Key{{Format: tier.SSH, Public: "ssh-ed25519 " + name}},
	}
}

func found(t *testing.T, word string) change.Found {
	t.Helper()
	switch word {
	case "present":
		return change.Present
	case "absent":
		return change.Absent
	case "unknown":
		return change.CouldNotTell
	}
	t.Fatalf("%q is neither present, absent nor unknown", word)
	return change.CouldNotTell
}

func (s *story) readEvidence(t *testing.T, w []string) {
	ev := &s.evidence
	switch arg := w[1:]; w[0] {
	case "owners":
		s.binding.Owners = arg
	case "source":
		ev.Source = arg[0]
	case "branch":
		ev.Branch = arg[0]
		s.binding.Sources[0].Branch = arg[0]
	case "on-branch":
		ev.OnBranch = found(t, arg[0])
	case "continuous":
		ev.Continuous = found(t, arg[0])
	case "base":
		ev.Base = strings.Join(arg, "")
	case "rendered":
		ev.Rendered, ev.RenderDetail = found(t, arg[0]), strings.Join(arg[1:], " ")
	case "unasked":
		ev.Unasked = strings.Join(arg, " ")
	case "page":
		s.landing(t).Page = arg[0]
	case "objection":
		s.landing(t).Objections = append(s.landing(t).Objections, arg...)
	case "step":
		ev.Steps = append(ev.Steps, change.Step{Touches: change.Present, Undone: change.Absent})
	case "touches":
		s.step(t).Touches = found(t, arg[0])
	case "undone":
		s.step(t).Undone = found(t, arg[0])
	case "commit": // id author signature [merge] [Key:value]
		s.step(t).Commits = append(s.step(t).Commits, readCommit(t, arg))
	case "landing":
		s.step(t).Landing = &change.Landing{Proven: found(t, arg[0]), RawDiffID: "diff-" + arg[1], Head: arg[1], MergeBase: ev.Base}
	case "of":
		l := s.landing(t)
		l.Commits = append(l.Commits, readCommit(t, arg))
		author := l.Commits[len(l.Commits)-1].Author.Name
		if strings.Contains(author, "@") {
			author = "<" + author + ">"
		}
		l.Contributors = append(l.Contributors, author)
	case "contributor":
		s.landing(t).Contributors = append(s.landing(t).Contributors, arg...)
	case "approved", "withdrew": // name level [of=unit] [tiers=a,b] [branch=b]
		s.landing(t).Approvals = append(s.landing(t).Approvals, s.readApproval(t, w))
	default:
		t.Fatalf("unknown word %q in evidence", w[0])
	}
}

func (s *story) step(t *testing.T) *change.Step {
	t.Helper()
	if len(s.evidence.Steps) == 0 {
		t.Fatal("no step yet")
	}
	return &s.evidence.Steps[len(s.evidence.Steps)-1]
}

func (s *story) landing(t *testing.T) *change.Landing {
	t.Helper()
	if s.step(t).Landing == nil {
		t.Fatal("no landing yet")
	}
	return s.step(t).Landing
}

func (s *story) readApproval(t *testing.T, w []string) change.Approval {
	t.Helper()
	a := change.Approval{
		Principal: w[1], Level: change.Level(w[2]), Decision: change.Approve, Repository: s.evidence.URL,
		Branch: s.evidence.Branch, RawDiffID: s.landing(t).RawDiffID, SaidAt: time.Unix(int64(len(s.landing(t).Approvals)), 0),
	}
	if w[0] == "withdrew" {
		a.Decision = change.Withdraw
	}
	for _, option := range w[3:] {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "of":
			a.RawDiffID = "diff-" + value
		case "tiers":
			a.Tiers = strings.Split(value, ",")
		case "branch":
			a.Branch = value
		case "repository":
			a.Repository = value
		default:
			t.Fatalf("unknown option %q", option)
		}
	}
	return a
}

// readCommit reads "id author signature", where the signature is a name for a good one, "+forge" for
// the forge's, or "-State", and then "merge" or trailers "Key:value".
func readCommit(t *testing.T, w []string) change.Commit {
	t.Helper()
	if len(w) < 3 {
		t.Fatalf("a commit has an id, an author and a signature: %q", w)
	}
	address := w[1]
	if !strings.Contains(address, "@") {
		address += "@example.com"
	}
	c := change.Commit{
		ID: w[0], Tree: "tree-" + w[0], Parents: []string{"parent"},
		Author: change.Person{Name: w[1], Email: address}, Committer: change.Person{Name: w[1], Email: address},
		Signature: change.Signature{State: change.Good, Principal: w[2]},
	}
	if w[2] == "+forge" {
		c.Signature = change.Signature{State: change.Good, ByForge: true}
	}
	if state, bad := strings.CutPrefix(w[2], "-"); bad {
		c.Signature = change.Signature{State: change.SignatureState(state)}
	}
	for _, option := range w[3:] {
		if option == "merge" {
			c.Parents = append(c.Parents, "second")
			continue
		}
		key, value, _ := strings.Cut(option, ":")
		c.Trailers = append(c.Trailers, change.Trailer{Key: key, Value: value})
	}
	return c
}

// pattern is one that can be read.
func pattern(text string) tier.Pattern {
	p, err := tier.ParsePattern(text)
	if err != nil {
		panic(err)
	}
	return p
}
