package tier

import (
	"regexp"
	"testing"
)

func TestTrailerMatchesAsAWhole(t *testing.T) {
	for _, c := range []struct {
		pattern, key, value string
		want                bool
	}{
		{`[A-Z]+-\d+`, "Ticket", "SHOP-1", true},
		{`[A-Z]+-\d+`, "ticket", "SHOP-1", true},
		{`[A-Z]+-\d+`, "Ticket", "SHOP-1 and more", false},
		{`[A-Z]+-\d+`, "Ticket", "x SHOP-1", false},
		{`[A-Z]+-\d+`, "Tickets", "SHOP-1", false},
		{`a|ab`, "Ticket", "ab", true}, // the first alternative matches less than the whole
		{`(?m)^SHOP-1$`, "Ticket", "SHOP-1\nanything", false},
		{`SHOP-1$|x`, "Ticket", "SHOP-1", true},
		{`x)|(?:y`, "Ticket", "y", false},
		{`.*`, "Ticket", "", true},
	} {
		pattern, err := regexp.Compile(c.pattern)
		if err != nil {
			if c.want {
				t.Errorf("%s: %v", c.pattern, err)
			}
			continue
		}
		if got := (TrailerRule{Key: "Ticket", Pattern: pattern}).Matches(c.key, c.value); got != c.want {
			t.Errorf("%s, %s: %q is %v, want %v", c.pattern, c.key, c.value, got, c.want)
		}
	}
	if (TrailerRule{Key: "Ticket"}).Matches("Ticket", "SHOP-1") {
		t.Error("a rule without a pattern matches")
	}
}

func TestLevelIsSignedUnlessItSaysForge(t *testing.T) {
	for l, want := range map[Level]bool{"": true, LevelSigned: true, "Gossip": true, LevelForge: false} {
		if l.Signed() != want {
			t.Errorf("%q: %v, want %v", l, l.Signed(), want)
		}
	}
}
