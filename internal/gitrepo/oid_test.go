package gitrepo

import (
	"os"
	"strings"
	"testing"
)

func TestT44CollisionAttackIsSeen(t *testing.T) {
	// The beginning of one of the two files of 2017 that have the same SHA-1.
	head, err := os.ReadFile("testdata/shattered-1.head")
	if err != nil {
		t.Fatal(err)
	}
	if _, collision := sha1Sum(head); !collision {
		t.Error("attack on SHA-1 is not seen")
	}
	if _, collision := sha1Sum(head[:256]); collision {
		t.Error("half of the attack is taken for one")
	}
}

func TestObjectIDAgainstGit(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		f := newForge(t, "--object-format="+format)
		for _, content := range []string{"", "x", "hello\n", strings.Repeat("y", 100_000)} {
			want := f.gitIn(content, "hash-object", "--stdin")
			if got, collision := objectID("blob", []byte(content), len(want)); got != want || collision {
				t.Errorf("%s of %d bytes: id %s (collision %t), git says %s", format, len(content), got, collision, want)
			}
			if got, want := emptyTree(want), f.gitIn("", "mktree"); got != want {
				t.Errorf("%s: empty tree %s, git says %s", format, got, want)
			}
		}
	}
}

func TestT43OnlyFullIDs(t *testing.T) {
	for id, want := range map[string]bool{
		strings.Repeat("a", 40): true, strings.Repeat("0", 64): true,
		strings.Repeat("A", 40): false, strings.Repeat("a", 39): false, strings.Repeat("a", 41): false,
		"": false, "main": false, "HEAD": false, strings.Repeat("g", 40): false, strings.Repeat("a", 39) + "\n": false,
	} {
		if got := fullID(id); got != want {
			t.Errorf("fullID(%q) = %t", id, got)
		}
	}
}
