package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/prover"
)

// bookLab is a book on disk that tests fill with statements, each from a commit of its own.
type bookLab struct {
	t    *testing.T
	path string
	book *book
	n    int
}

func newBookLab(t *testing.T) *bookLab {
	t.Helper()
	l := &bookLab{t: t, path: filepath.Join(t.TempDir(), "statements")}
	l.reopen()
	t.Cleanup(func() {
		if err := l.book.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// reopen is a restart.
func (l *bookLab) reopen() {
	l.t.Helper()
	var err error
	if l.book != nil {
		err = l.book.Close()
	}
	if err == nil {
		l.book, err = openBook(l.path)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *bookLab) say(who, digest string, size int) error {
	l.n++
	return l.book.write(attest.Record{
		Ref: attest.RefPrefix + who, Commit: fmt.Sprintf("%040d", l.n), SeenAt: time.Unix(int64(l.n), 0).UTC(),
		Envelope: fmt.Appendf(bytes.Repeat([]byte("x"), size), "%s %d", digest, l.n),
	}, digest)
}

func (l *bookLab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// digests are those of a ref's believed statements, in order.
func (l *bookLab) digests(who string) []string {
	var all []string
	for _, e := range l.book.of(attest.RefPrefix + who).entries {
		if e.Believed != "" {
			all = append(all, e.Believed)
		}
	}
	return all
}

// TestT33NobodyFillsTheBook: whoever may push to the refs of approvals fills no disk, and pushes
// nothing out that was believed.
func TestT33NobodyFillsTheBook(t *testing.T) {
	const large = 200 << 10
	l := newBookLab(t)
	l.must(l.say("sam", "first", 2000))
	l.must(l.say("sam", "", 2000)) // of a key that nobody knows yet
	before := l.book.of(attest.RefPrefix + "sam").entries[1]
	for range 30 {
		l.must(l.say("sam", "", large))
	}
	for i := range 400 { // on refs of people that do not exist
		l.must(l.say(fmt.Sprintf("nobody%d", i%50), "", large))
	}
	l.must(l.say("sam", "second", 2000))
	if d := cmp.Diff([]string{"first", "second"}, l.digests("sam")); d != "" {
		t.Errorf("believed (-want +got):\n%s", d)
	}
	if p := l.book.of(attest.RefPrefix + "sam"); !p.forgot || p.entries[1] == before {
		t.Error("the oldest that nobody believed is not forgotten")
	}
	const most = 2*(mostDoubtedAll+mostBelieved) + mostWaste
	info, err := os.Stat(l.path)
	l.must(err)
	if l.book.doubted > mostDoubtedAll || info.Size() > most {
		t.Errorf("the book has %d bytes that nobody believes and %d in all, want %d and %d at most", l.book.doubted, info.Size(), mostDoubtedAll, most)
	}
	if info.Size() != l.book.size {
		t.Errorf("the file has %d bytes, the book says %d", info.Size(), l.book.size)
	}
	l.reopen()
	if d := cmp.Diff([]string{"first", "second"}, l.digests("sam")); d != "" {
		t.Errorf("believed after a restart (-want +got):\n%s", d)
	}
	if l.book.of(attest.RefPrefix+"sam").last != fmt.Sprintf("%040d", l.n) {
		t.Error("what was read last is forgotten")
	}
}

// TestT33AReplayFillsNothing: the same good statement in other commits and wrappings is one statement,
// so nobody silences a person by copies of what that person signed.
func TestT33AReplayFillsNothing(t *testing.T) {
	l := newBookLab(t)
	for range 1000 {
		l.must(l.say("sam", "the same", 200<<10))
	}
	if p := l.book.of(attest.RefPrefix + "sam"); len(p.entries) != 1 || p.full {
		t.Errorf("%d statements are kept, full is %v", len(p.entries), p.full)
	}
}

// TestT33AFullRefIsTold: a person's own flood concerns that person alone.
func TestT33AFullRefIsTold(t *testing.T) {
	l := newBookLab(t)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = l.say("sam", fmt.Sprint(i), 250<<10)
	}
	if !errors.Is(err, errBookFull) || !l.book.of(attest.RefPrefix+"sam").full {
		t.Errorf("got %v, want that the book is full", err)
	}
	l.must(l.say("paula", "hers", 2000))
	kept := len(l.digests("sam"))
	l.reopen()
	if kept == 0 || len(l.digests("sam")) != kept {
		t.Errorf("after a restart %d of %d are there", len(l.digests("sam")), kept)
	}
	if err := l.say("sam", "more", 250<<10); !errors.Is(err, errBookFull) {
		t.Errorf("after a restart: %v", err)
	}
}

// TestTheBookRemembersBelief: a statement counts as believed for good once its signer was known, also
// when the person has left since and the ref is flooded.
func TestTheBookRemembersBelief(t *testing.T) {
	l := newBookLab(t)
	l.must(l.say("sam", "", 2000))
	l.must(l.book.believe(l.book.of(attest.RefPrefix + "sam").entries[0], "late"))
	l.reopen()
	for range 30 {
		l.must(l.say("sam", "", 200<<10))
	}
	if d := cmp.Diff([]string{"late"}, l.digests("sam")); d != "" {
		t.Errorf("believed (-want +got):\n%s", d)
	}
}

// TestATornLineCostsItselfAlone: the statement after a line that a crash or a full disk cut off is kept.
func TestATornLineCostsItselfAlone(t *testing.T) {
	l := newBookLab(t)
	l.must(l.say("sam", "whole", 10))
	raw, err := os.ReadFile(l.path)
	l.must(err)
	l.must(os.WriteFile(l.path, append(raw, raw[:len(raw)/2]...), 0o600))
	l.reopen()
	l.must(l.say("sam", "after", 10))
	l.reopen()
	if d := cmp.Diff([]string{"whole", "after"}, l.digests("sam")); d != "" {
		t.Errorf("believed (-want +got):\n%s", d)
	}
}

// TestAFloodIsToldAndSilencesNobody: the bounds as the prover meets them. A stranger fills a ref; the
// approval that its owner gives then still counts.
func TestAFloodIsToldAndSilencesNobody(t *testing.T) {
	l := newLab(t)
	var told []string
	l.in.mirrors.alarm = func(_, what string) { told = append(told, what) }
	merge, head, err := l.shop.Land(t.Context(), "sara", message, version("2.0"))
	if err != nil {
		t.Fatal(err)
	}
	l.approve("paula", head)
	l.look()
	at := l.in.mirrors.open["apps"]
	for i := range 30 {
		record := attest.Record{Ref: attest.RefPrefix + "sam", Commit: fmt.Sprintf("%040d", i), Envelope: bytes.Repeat([]byte("x"), 200<<10)}
		if err := at.book.write(record, ""); err != nil {
			t.Fatal(err)
		}
	}
	at.book.of(attest.RefPrefix + "sam").last = ""
	l.approve("sam", head)
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), merge))
	if text := strings.Join(told, "\n"); !strings.Contains(text, "the oldest of it is forgotten") {
		t.Errorf("told was %s", text)
	}
}

// TestARefusalOfTheMachineIsTriedAgain: what the machine gave up on is rendered again after a while;
// what the commit is to blame for is not.
func TestARefusalOfTheMachineIsTriedAgain(t *testing.T) {
	now := time.Unix(0, 0)
	r := &renders{now: func() time.Time { return now }}
	r.put("machine", prover.Rendered{Refusal: "needs more memory"}, true)
	r.put("commit", prover.Rendered{Refusal: "is not YAML"}, false)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {retryAfter - 1, true}, {retryAfter, false}} {
		now = time.Unix(0, 0).Add(step.after)
		if _, kept := r.get("machine"); kept != step.want {
			t.Errorf("after %s: kept is %v, want %v", step.after, kept, step.want)
		}
		if _, kept := r.get("commit"); !kept {
			t.Errorf("after %s: the commit's own refusal is forgotten", step.after)
		}
	}
	r.put("machine", prover.Rendered{}, false)
	if got, kept := r.get("machine"); !kept || got.Refusal != "" {
		t.Error("a render that succeeds does not take its place")
	}
}
