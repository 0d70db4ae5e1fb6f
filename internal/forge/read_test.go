package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

func TestSplit(t *testing.T) {
	for path, good := range map[string]bool{
		"acme/shop": true, "a.b/c_d-e": true, "acme": false, "acme/": false, "/shop": false, "": false, "acme/shop/more": false,
		"../shop": false, "acme/..": false, "acme/.": false, "acme/shop?x": false, "acme/%2e%2e": false, "ac me/shop": false, "acme/shop#": false,
	} {
		if owner, name, err := Split(path); (err == nil) != good || good && owner+"/"+name != path {
			t.Errorf("%q: %q, %q, %v", path, owner, name, err)
		}
	}
}

func TestPages(t *testing.T) {
	list := func(next func(page int) int) ([]int, error) {
		return Pages(5, func(page int) ([]int, int, error) { return []int{page}, next(page), nil })
	}
	if got, err := list(func(page int) int { return (page + 1) % 4 }); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("three pages: %v, %v", got, err)
	}
	for name, next := range map[string]func(int) int{
		"pages without end": func(page int) int { return page + 1 }, "the same page": func(page int) int { return page }, "back": func(int) int { return 1 },
	} {
		if got, err := list(next); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	empty := 0
	_, err := Pages(5, func(page int) ([]int, int, error) { empty++; return nil, page + 1, nil })
	if !errors.Is(err, ErrTooMuch) || empty > 20 {
		t.Errorf("empty pages without end: %v after %d", err, empty)
	}
}

func TestFailed(t *testing.T) {
	cause := errors.New("said\nat length " + strings.Repeat("x", 1000))
	for _, tc := range []struct {
		status int
		err    error
		want   error
	}{
		{404, cause, ErrGone},
		{410, cause, ErrGone},
		{401, cause, ErrDenied}, // a token that has expired says nothing of what is there
		{403, cause, ErrDenied},
		{0, fmt.Errorf("get: %w", &LimitedError{Host: "h"}), new(LimitedError)},
		{0, fmt.Errorf("get: %w", ErrHost), ErrHost},
		{200, fmt.Errorf("get: %w", ErrTooMuch), ErrTooMuch},
		{0, cause, cause},
	} {
		err := Failed("doing", tc.status, tc.err)
		var limited *LimitedError
		if _, is := tc.want.(*LimitedError); is != errors.As(err, &limited) || !is && !errors.Is(err, tc.want) { //nolint:errorlint // the table's own value
			t.Errorf("%d: %v, want %v", tc.status, err, tc.want)
		}
	}
	if err := Failed("doing", http.StatusInternalServerError, cause); len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") {
		t.Errorf("as long as the forge likes: %v", err)
	}
	if Failed("doing", 200, nil) != nil {
		t.Error("an error out of nothing")
	}
}

func TestChain(t *testing.T) {
	made := Push{New: "a", Made: true, By: account("alice"), At: at(1)}
	more := Push{Old: "a", New: "b", By: account("bob"), At: at(2)}
	last := Push{Old: "b", New: "c", By: account("alice"), At: at(3)}
	for _, tc := range []struct {
		name   string
		pushes []Push // newest first
		want   string // heads, oldest first
		whole  bool
	}{
		{"whole", []Push{last, more, made}, "abc", true},
		{"pushes after the head", []Push{{Old: "c", New: "d", By: account("bob")}, last, more, made}, "abc", true},
		{"somebody is hidden", []Push{last, made}, "c", false},
		{"the first is hidden", []Push{last, more}, "bc", false},
		{"the last is hidden", []Push{more, made}, "", false},
		{"nobody is said to have pushed", []Push{last, {Old: "a", New: "b"}, made}, "c", false},
		{"made twice", []Push{last, more, made, {Old: "x", New: "a"}}, "abc", true},
		{"nothing", nil, "", false},
		{"what it follows cannot be read, nor can the push before", []Push{{New: "c", By: account("alice")}, {By: account("bob")}, {Made: true, By: account("bob")}}, "c", false},
	} {
		heads, whole := Chain(tc.pushes, "c")
		got := ""
		for _, h := range heads {
			got += h.Commit
		}
		if got != tc.want || whole != tc.whole {
			t.Errorf("%s: %q, %t", tc.name, got, whole)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Change{Number: 1, Repository: "7", Target: "main", Head: strings.Repeat("a", 40)}
	for name, tc := range map[string]struct {
		edit func(*Change)
		want error
	}{
		"good":               {func(*Change) {}, nil},
		"another repository": {func(c *Change) { c.Repository = "8" }, ErrOther},
		"no repository":      {func(c *Change) { c.Repository = "" }, ErrOther},
		"no head":            {func(c *Change) { c.Head = "" }, ErrAnswer},
		"a short head":       {func(c *Change) { c.Head = "abc" }, ErrAnswer},
		"a head of zeros":    {func(c *Change) { c.Head = strings.Repeat("0", 40) }, ErrAnswer},
		"an option":          {func(c *Change) { c.MergeBase = "--upload-pack=x" }, ErrAnswer},
		"landed as a name":   {func(c *Change) { c.Landed = "main" }, ErrAnswer},
		"no target":          {func(c *Change) { c.Target = "" }, ErrAnswer},
		"no number":          {func(c *Change) { c.Number = 0 }, ErrAnswer},
	} {
		c := good
		tc.edit(&c)
		if err := c.Check(Repository{ID: "7"}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// TestT39StoredDossierIsJudgedAgain: what was read while the forge was there judges the same when it is
// down, and differently when the people have changed.
func TestT39StoredDossierIsJudgedAgain(t *testing.T) {
	d := dossier(approve("bob", 20), approve("dave", 21))
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var stored Dossier
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Fold(d, facts()), Fold(stored, facts())); diff != "" {
		t.Error(diff)
	}
	f := facts()
	f.Principal = func(a Account, t time.Time) (string, bool, bool) {
		name, robot, known := principals(a, t)
		return name, robot, known && name != "bob" // who has left
	}
	if got := Fold(stored, f).Approvals; len(got) != 1 || got[0].Principal != "dave" {
		t.Errorf("approvals %+v", got)
	}
}

// FuzzFold: whatever a stored dossier holds, nobody approves who is not known, is a robot or had a part
// in the change, and nothing counts where pushers or content are not known.
func FuzzFold(f *testing.F) {
	for _, d := range []Dossier{dossier(), dossier(approve("bob", 20), said("dave", ChangesRequested, 3)), dossier(approve("carol", 4), approve("app", 5), approve("bob-2", 6))} {
		raw, err := json.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d Dossier
		if json.Unmarshal(raw, &d) != nil {
			return
		}
		got := Fold(d, facts())
		for _, a := range got.Approvals {
			if slices.Contains(got.Contributors, a.Principal) || a.Principal == "bot" || a.Principal == "" || d.PushersKnown != change.Present || len(got.Objections) > 0 || d.Head != "head" {
				t.Errorf("approval %+v of %s", a, raw)
			}
		}
		without := d
		without.PushersKnown = change.CouldNotTell
		if left := Fold(without, facts()).Approvals; len(left) > 0 {
			t.Errorf("approvals %+v of a change pushed by nobody knows whom", left)
		}
	})
}
