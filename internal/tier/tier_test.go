package tier

import "testing"

func TestLevelIsSignedUnlessItSaysForge(t *testing.T) {
	for l, want := range map[Level]bool{"": true, LevelSigned: true, "Gossip": true, LevelForge: false} {
		if l.Signed() != want {
			t.Errorf("%q: %v, want %v", l, l.Signed(), want)
		}
	}
}
