package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// dangerous is what engines take for an immutable-field error, spelled independently of the code.
func dangerous(s string) bool {
	return regexp.MustCompile(`(?i)is\simmutable`).MatchString(s) || regexp.MustCompile(`(?i)immutable\sfield`).MatchString(s)
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"web", `"web"`},
		{"two  words\n\tthree", `"two words three"`},
		{"say \"x\"", `"say 'x'"`},
		{"field is immutable", `"field is-immutable"`},
		{"IS\nImmutable\rField", `"IS-Immutable-Field"`},
		{"i\u017F immutable", "\"i\u017F-immutable\""},
		{"is\u00a0immutable", `"is-immutable"`},
		{"a\x00b\x1b[31mc\u202ed", `"a b [31mc d"`},
		{"\xff\xfe", `" "`},
		{strings.Repeat("x", 100), `"` + strings.Repeat("x", 80) + `…"`},
	} {
		if got := Quote(c.in); got != c.want {
			t.Errorf("Quote(%q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "is immutable", "is", "immutable", " field", "\"", "IS\tIMMUTABLE\vFIELD", "\xff", "immutable\u2003field", strings.Repeat("is immutable ", 20)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, got := range []string{Quote(a), Quote(a) + Quote(b), Quote(a) + " " + Quote(b), "is " + Quote(a), Quote(a) + " field", "is" + Quote(a), clean(a), plain(a)} {
			if dangerous(got) {
				t.Errorf("%q and %q make %q", a, b, got)
			}
		}
		got := Quote(a)
		if n := utf8.RuneCountInString(got); n > quoteLimit+3 || strings.ContainsAny(got, "\n\r\t\x00") || strings.Count(got, `"`) != 2 {
			t.Errorf("Quote(%q) = %q", a, got)
		}
	})
}

// TestReasonsAreShownWhole: what a renderer says says what to do in its second half. It was cut where other people's
// texts are.
func TestReasonsAreShownWhole(t *testing.T) {
	const why = `clusters/main/shop.yaml:1: holds a Flux Kustomization with postBuild.substituteFrom, and the source does not say which files hold these ConfigMaps; name them in via.flux.substituteFrom`
	ev := change.Evidence{Source: "shop", Rendered: change.Absent, RenderDetail: why}
	found := judgeRendered(commitCase{ev: ev})
	if len(found) != 1 || !strings.Contains(found[0].Detail, why) {
		t.Errorf("found %+v, want %q", found, why)
	}
	for _, s := range []string{strings.Repeat("is immutable ", 100), strings.Repeat("x", 1000)} {
		if got := quoteReason(s); utf8.RuneCountInString(got) > reasonLimit+3 || dangerous(got) {
			t.Errorf("quoteReason = %q", got)
		}
	}
}

// TestAddressesThatCanBeTyped: an address stands in a command as it is, or not at all.
func TestAddressesThatCanBeTyped(t *testing.T) {
	for address, want := range map[string]bool{
		"https://git.example.com/shop/apps": true, "ssh://git@git.example.com:2222/apps.git": true, "git@git.example.com:shop/apps": true,
		"file:///srv/apps": true, "https://robot:s3cret@git.example.com/apps": false, "https://token@git.example.com/apps": false,
		"ssh://git:s3cret@git.example.com/apps": false, "ssh://git:s3/cret@git.example.com/apps": false, "http://robot:s3cret@git.example.com/apps": false, "git:s3cret@git.example.com:apps": false, "https://git.example.com/a b": false,
		"https://git.example.com/$(id)": false, "https://git.example.com/a;b": false, "": false, "https://git.example.com/" + strings.Repeat("a", 100): false,
	} {
		line := fill("run: fairway approve {commit} --repository {repository}", webCommit, "shop", address)
		if strings.HasSuffix(line, " --repository "+address) != want || strings.Contains(line, "--repository") != want {
			t.Errorf("%q: %s", address, line)
		}
	}
}

// hostile is a verdict every foreign text of which is one of three pieces.
func hostile(a, b, c string, o Outcome, retry time.Duration, enforcement tier.Enforcement) Verdict {
	f := proven(production(), func(x *Candidate) {
		x.Fit, x.Paths, x.Manager = FitDiffers, []string{a, b, c}, b
		x.Proof.Judgements[0].Admissible = change.Absent
		x.Proof.Judgements[0].Missing = []string{a, "[FW103] " + b + ": " + c, "[FW103] needs approval: " + a + " " + b, a + b}
		x.Proof.Tree, x.Proof.Approvers, x.Proof.Commit = c, []string{a}, a
	})
	f.Request.ID = change.ObjectID{Kind: a, Namespace: b, Name: c}
	f.Tiers[0].Name, f.Candidates[0].Proof.Judgements[0].Tier, f.Candidates[0].Standings[0].Tier = b, b, b
	f.Request.User.Name, f.Origin.Conflicts, f.Origin.Commit = c, []string{a, b}, c
	f.Grants = []Grant{{Name: a, User: c, Requester: b}}
	f.Repositories = map[string]tier.Repository{f.Candidates[0].Proof.Key.Repository: {URL: b}}
	v := Admit(f)
	if o != Allow || v.Outcome != Allow {
		v.Outcome = o
	}
	v.Warnings = append(v.Warnings, a+" "+b, b+"\n"+c)
	v.Findings = append(v.Findings, Finding{Code: Code(a), Outcome: o, Reason: b, Detail: c, Remedy: a + "\n" + b, Who: []string{c, a}})
	v.RetryAfter, v.Enforcement = retry, enforcement
	return v
}

// shows fails where anything that a client sees could be taken for an immutable-field error, or
// does not keep the bounds of an answer.
func shows(t *testing.T, v Verdict) {
	t.Helper()
	s := v.Status()
	whole := "admission webhook \"x\" denied the request: " + s.Message // as a client prints it
	for _, c := range s.Causes {
		whole += "\n* " + c.Type + ": " + c.Message
	}
	texts := append([]string{whole, v.Message()}, s.Warnings...)
	for _, a := range s.Annotations {
		texts = append(texts, a)
	}
	for _, text := range texts {
		if dangerous(text) {
			t.Errorf("could be taken for an immutable-field error: %q", text)
		}
	}
	first, _, _ := strings.Cut(v.Message(), "\n")
	if n := utf8.RuneCountInString(first); n > headLimit {
		t.Errorf("the first line has %d characters: %q", n, first)
	}
	if lines := strings.Count(v.Message(), "\n"); lines > 20 {
		t.Errorf("the message has %d lines", lines)
	}
	for _, w := range s.Warnings {
		if n := utf8.RuneCountInString(w); n > warningLimit || strings.Contains(w, "\n") {
			t.Errorf("warning of %d characters: %q", n, w)
		}
	}
	switch {
	case s.Allowed != v.Admits():
		t.Errorf("allowed is %v, admits is %v", s.Allowed, v.Admits())
	case s.Allowed && s.Code != 200, !s.Allowed && s.Code != 403 && s.Code != 429:
		t.Errorf("allowed is %v, code %d", s.Allowed, s.Code)
	case s.Code == 429 && s.RetryAfterSeconds < 1, s.Code == 403 && s.RetryAfterSeconds != 0:
		t.Errorf("code %d, retry after %d s", s.Code, s.RetryAfterSeconds)
	case !s.Allowed && s.Message == "":
		t.Error("a refusal without a message")
	}
}

// FuzzMessage: no text from outside, wherever it stands, makes a denial that an engine could take
// for an immutable-field error, and no answer has another code than 403 and 429.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"is", "immutable", " ", "field", "is immutable", "immutable field", "\n", "[FW103] ", "\x00", "IS", "IMMUTABLE\t", "spec.x"} {
		f.Add(s, "immutable", "field", int8(Deny), int64(0))
		f.Add("is", s, "is", int8(Pending), int64(time.Second))
	}
	f.Fuzz(func(t *testing.T, a, b, c string, o int8, retry int64) {
		for _, e := range []tier.Enforcement{tier.Enforce, tier.Warn, tier.Audit} {
			shows(t, hostile(a, b, c, Outcome(o%4), time.Duration(retry), e))
		}
	})
}

// TestNoDenialLooksImmutable tries every combination of the pieces that make such an error.
func TestNoDenialLooksImmutable(t *testing.T) {
	pieces := []string{"is", "this", "immutable", "field", "is immutable", "immutable field", "Is\nImmutable\tField", "\nimmutable", "is ", " ", ""}
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				shows(t, hostile(a, b, c, Deny, 0, tier.Enforce))
			}
		}
	}
	for _, s := range situations() {
		for _, x := range []tier.Tier{production(), staging(), audited(), sandbox()} {
			shows(t, Admit(s.make(x)))
		}
	}
}

// TestRuling26Codes: a proof in the making is 429 with a time, anything else is 403.
func TestRuling26Codes(t *testing.T) {
	waiting := with(proven(production(), func(c *Candidate) { c.Fit = FitDiffers }), func(f *Facts) { f.Making = change.Present })
	if s := Admit(waiting).Status(); s.Code != 429 || s.Reason != "TooManyRequests" || s.RetryAfterSeconds != 2 {
		t.Errorf("in the making: %d %s after %d s", s.Code, s.Reason, s.RetryAfterSeconds)
	}
	pending := proven(production(), func(c *Candidate) {
		c.Proof.Judgements[0].Admissible, c.Proof.Judgements[0].Pending = change.Absent, true
	})
	if s := Admit(pending).Status(); s.Code != 403 || s.Reason != "Forbidden" || s.RetryAfterSeconds != 0 {
		t.Errorf("approvals missing: %d %s after %d s", s.Code, s.Reason, s.RetryAfterSeconds)
	}
	both := waiting
	both.Tiers = append(both.Tiers, production())
	both.Tiers[1].Name, both.Tiers[1].Declared = "other", tier.DeclaredRequired
	both.Making, both.Origin = change.Absent, change.Origin{}
	if s := Admit(both).Status(); s.Code != 403 {
		t.Errorf("waiting for one tier and refused by another: %d", s.Code)
	}
}

// TestFindingLine: what a judgement keeps is read back under its code.
func TestFindingLine(t *testing.T) {
	f := unmet(CodeApproval, Pending, "tier \"x\" needs 1 approval", "bob", "team shop")
	got := parseLine(f.Line(), Pending)
	if got.Code != CodeApproval || got.Detail != "tier \"x\" needs 1 approval (bob, team shop)" || got.Outcome != Pending {
		t.Errorf("read back as %+v", got)
	}
	for _, s := range []string{"", "FW103] x: y", "[FW999] x: y", "[FW103", "free text"} {
		if got := parseLine(s, Deny); got.Code != CodeAdmissible || got.Outcome != Deny {
			t.Errorf("%q is read as %+v", s, got)
		}
	}
}

// TestAnnotations: the audit log says which way a request went, and on what grounds.
func TestAnnotations(t *testing.T) {
	a := Admit(proven(production())).Status().Annotations
	for key, want := range map[string]string{
		"outcome": "Allow", "lane": "proven", "tier": "production", "tier-generation": "7", "codes": "FW009",
		"commit": webCommit, "tree": "tree-3f2c1ab",
	} {
		if a[key] != want {
			t.Errorf("%s is %q, want %q", key, a[key], want)
		}
	}
	if len(a["approvals"]) != 64 {
		t.Errorf("approvals is %q", a["approvals"])
	}
	other := Admit(proven(production(), func(c *Candidate) { c.Proof.Approvers = []string{"bob"} })).Status().Annotations
	if other["approvals"] == a["approvals"] {
		t.Error("other approvers have the same digest")
	}
	swapped := Admit(proven(production(), func(c *Candidate) { c.Proof.Approvers = []string{"carol", "bob"} })).Status().Annotations
	if swapped["approvals"] != a["approvals"] {
		t.Error("the order of approvers matters")
	}
}
