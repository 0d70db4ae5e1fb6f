package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/forge"
)

// keyState is what a Team says of a key, relative to when it signed, and what comes of it where Fairway's
// clock is an hour behind, right, and an hour ahead when it first sees what was signed. An empty reason:
// it is admitted.
type keyState struct {
	name string
	says func(made time.Time) string
	want [3]string
}

const halfHour = 30 * time.Minute

func keyStates() []keyState {
	field := func(name string, after time.Duration, more string) func(time.Time) string {
		return func(made time.Time) string {
			return fmt.Sprintf(", %s: %q%s", name, made.Add(after).UTC().Format(time.RFC3339), more)
		}
	}
	const ahead, early, ended, late, gone = "after it was first seen", "before the key was valid", "when the key had ended", "first seen at", "revoked"
	return []keyState{
		{"good", func(time.Time) string { return "" }, [3]string{ahead, "", ""}},
		{"not yet valid", field("notBefore", halfHour, ""), [3]string{ahead, early, early}},
		{"ended before it signed", field("notAfter", -halfHour, ""), [3]string{ahead, ended, ended}},
		{"ended after it signed", field("notAfter", halfHour, ""), [3]string{ahead, "", late}},
		{"retired after it signed", field("revokedAt", halfHour, ""), [3]string{ahead, "", gone}},
		{"retired before it signed", field("revokedAt", -halfHour, ""), [3]string{gone, gone, gone}},
		{"compromised after it signed", field("revokedAt", halfHour, ", revocation: Compromised"), [3]string{"compromised", "compromised", "compromised"}},
	}
}

// TestT41KeyStates: whatever the state of a key, the date that its holder writes and the clock of
// Fairway's machine, in the whole program: the key that signed a commit whose approvals are reviews on a
// forge, and the key that signed an approval.
func TestT41KeyStates(t *testing.T) {
	for i, clock := range []time.Duration{-time.Hour, 0, time.Hour} {
		t.Run(fmt.Sprintf("forge, clock %s", clock), func(t *testing.T) {
			p := newFakeForge(t)
			merge, d := p.land("sara", version("2.0"))
			p.says(d, "sam", forge.Approved)
			p.says(d, "paula", forge.Approved)
			made := committed(t, p.l, merge)
			p.l.in.mirrors.now = func() time.Time { return made.Add(clock) }
			eachKeyState(t, p.l, keyRow{whose: "sara", made: made, merge: merge, clock: i, code: "FW105"})
		})
		t.Run(fmt.Sprintf("signed, clock %s", clock), func(t *testing.T) {
			l := newLab(t)
			merge := l.land("sara", version("2.0"), "sam", "paula")
			made := time.Now().Truncate(time.Second) // an approval says when it was signed
			l.in.mirrors.now = func() time.Time { return made.Add(clock) }
			eachKeyState(t, l, keyRow{whose: "sam", made: made, merge: merge, clock: i, code: "FW103"})
		})
	}
}

// keyRow is one key, what it signed and when, and by which clock that was first seen.
type keyRow struct {
	whose string
	made  time.Time
	merge string
	clock int    // of the wants of a keyState
	code  string // of the rule that is not met; that of signatures says why
}

// eachKeyState changes what the Team says, one state after the other: each takes effect on what was
// proven before.
func eachKeyState(t *testing.T, l *lab, row keyRow) {
	t.Helper()
	raw, err := os.ReadFile(l.shop.World("teams.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("publicKey: %q", l.shop.People[row.whose].PublicKey())
	for _, s := range keyStates() {
		l.write("teams.yaml", strings.Replace(string(raw), key, key+s.says(row.made), 1))
		l.look()
		write := l.apply(story.Web(2, "", "2.0"), row.merge)
		want := s.want[row.clock]
		if want == "" {
			l.admits("proven", dry(write))
			continue
		}
		answer, _ := l.try(dry(write))
		if answer.Allowed || answer.Result.Code != http.StatusForbidden || !strings.Contains(said(answer), row.code) {
			t.Errorf("%s: allowed %v, want %s: %s", s.name, answer.Allowed, row.code, said(answer))
		}
		if row.code == "FW105" && !strings.Contains(said(answer), want) {
			t.Errorf("%s: the refusal does not say %q: %s", s.name, want, said(answer))
		}
	}
}

// dry asks for a verdict alone, so that one state leaves nothing to the next.
func dry(w story.Write) story.Write {
	w.DryRun = true
	return w
}

// committed is the committer's date of a commit.
func committed(t *testing.T, l *lab, commit string) time.Time {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", l.shop.Repo.Dir, "show", "-s", "--format=%ct", commit).Output()
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}
