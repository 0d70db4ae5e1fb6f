package gitrepo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

func trailerMessages() []string {
	return []string{
		"", "\n", "subject", "subject\n", "Key: value\n", "\nKey: value\n",
		"s\n\nKey: value\n", "s\n\nKey: value", "s\n\nbody\n\nKey: value\nOther: v\n", "s\n\nKey: value\n\nbody\n",
		"s\n\nKey : value\n", "s\n\n Key: value\n", "s\n\nKey:value\n", "s\n\nKey:\n", "s\n\n: value\n", "s\n\nKey word: value\n",
		"s\n\nKey: a\n b\n\tc\n", "s\n\nKey: a  \n b\n", "s\n\nKey: a\n  \n", "s\n\nKey: a\n b\nOther: c\n d\n",
		"s\n\nnot a trailer\nKey: value\n", "s\n\nKey: value\nnot a trailer\n",
		"s\n\nnot a trailer\nSigned-off-by: A <a@b>\n", "s\n\n1\n2\n3\nSigned-off-by: A <a@b>\n", "s\n\n1\n2\n3\n4\nSigned-off-by: A <a@b>\n",
		"s\n\nKey: v\n(cherry picked from commit abc)\n", "s\n\n(cherry picked from commit abc)\n",
		"s\n\n1\n folded\nSigned-off-by: A <a@b>\n", "s\n\nSigned-off-by: A\n folded\n",
		"s\n\n# comment\nKey: value\n", "s\n\nKey: value\n# comment\n", "s\n\n#Key: value\n", "# c\n\nKey: value\n", "# c\ns\n\nKey: value\n",
		"s\n\nKey: value\n\n# c\n\n", "s\n\nKey: value\n\nConflicts:\n\tfile\n", "s\n\nKey: value\n\nConflicts:\n\tfile\nmore\n",
		"s\n\nKey: value\n\n# Conflicts:\n#\tfile\n",
		"s\n\nKey: value\n\n# ------------------------ >8 ------------------------\nOther: v\n",
		"s\n\nKey: value\n---\nOther: v\n", "s\n\n---\n\nKey: value\n",
		"s\r\n\r\nKey: value\r\nOther: v\r\n", "s\n\nKey: https://x:1\n", "s\n \nKey: value\n", "s\n\nKey: value\n \n\t\n",
		"s\n\nTicket: OPS-1\nCo-authored-by: B <b@c>\n", "s\n\nKey-1: value\n", "s\n\nKéy: value\n", "s\n\nkey\u00a0: value\n", "s\n\n-: v\n",
		"s\n\n\nKey: value\n", "s\nKey: value\n", "s\n\nKey: value\n\n\n\n", "s\n\nCONFLICT: x\n\tKey: v\n", "s\n\nKey: v\n \n b\n",
		"s\n\n a\nKey: v\n", "s\n\n a\nSigned-off-by: v\n", "s\n\nKey: v\n#c\n folded\n", "s\n\nSigned-off-by:v\nx\n",
	}
}

// TestTrailersAgainstGit compares with git interpret-trailers, on the messages above and on many put
// together from their parts.
func TestTrailersAgainstGit(t *testing.T) {
	f := newForge(t)
	messages := trailerMessages()
	parts := []string{"\n", "\n", "s\n", "Key: value\n", " folded\n", "\tfolded\n", "text\n", "# c\n", "Signed-off-by: A <a@b>\n",
		"(cherry picked from commit 1)\n", "Conflicts:\n", "\tpath\n", "A-b : c\n", " \n", "Key:\n", "---\n", "x y: z\n"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		var m strings.Builder
		m.WriteString("s\n")
		for range random.IntN(12) {
			m.WriteString(parts[random.IntN(len(parts))])
		}
		messages = append(messages, m.String())
	}
	for _, m := range messages {
		want := f.gitIn(m, "interpret-trailers", "--parse", "--no-divider")
		var got []string
		for _, tr := range parseTrailers(m) {
			got = append(got, strings.TrimRight(tr.Key+": "+tr.Value, " ")) // git trims its last line
		}
		var lines []string
		for line := range strings.Lines(want) {
			lines = append(lines, strings.TrimRight(line, "\n "))
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("message %q (-git +here):\n%s", m, diff)
		}
	}
}

func TestTrailerValues(t *testing.T) {
	got := parseTrailers("s\n\nTicket: OPS-1\nReason: because\n  it had\n\tto be\n")
	want := []change.Trailer{{Key: "Ticket", Value: "OPS-1"}, {Key: "Reason", Value: "because it had to be"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}

func FuzzParseTrailers(f *testing.F) {
	for _, m := range trailerMessages() {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, message string) {
		for _, tr := range parseTrailers(message) {
			if tr.Key == "" || strings.ContainsAny(tr.Key, "\n:") || strings.Contains(tr.Value, "\n") {
				t.Errorf("trailer %+v is not one line", tr)
			}
		}
	})
}
