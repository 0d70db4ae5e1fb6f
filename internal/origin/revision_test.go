package origin

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRevision(t *testing.T) {
	tests := []struct {
		in   string
		want Revision
		bad  bool
	}{
		{in: "main@sha1:" + commit, want: Revision{Ref: "main", Commit: commit}},
		{in: "v1.2.3@sha1:" + commit, want: Revision{Ref: "v1.2.3", Commit: commit}},
		{in: "refs/pull/420/head@sha1:" + commit, want: Revision{Ref: "refs/pull/420/head", Commit: commit}},
		{in: "feature/a@b@sha1:" + commit, want: Revision{Ref: "feature/a@b", Commit: commit}},
		{in: "sha1:" + commit, want: Revision{Commit: commit}},
		{in: "main/" + commit, want: Revision{Ref: "main", Commit: commit}},
		{in: "feature/x/" + commit, want: Revision{Ref: "feature/x", Commit: commit}},
		{in: "", bad: true},
		{in: "main", bad: true},
		{in: commit, bad: true},
		{in: "/" + commit, bad: true},
		{in: "@sha1:" + commit, bad: true},
		{in: "main@<unknown>:" + strings.Repeat("a", 64), bad: true},
		{in: "main@sha1:" + strings.Repeat("a", 64), bad: true},
		{in: "main@sha1:" + strings.ToUpper(commit), bad: true},
		{in: "main@sha1:" + commit[1:], bad: true},
		{in: "main@sha1:" + commit + "0", bad: true},
		{in: "main/" + commit[1:], bad: true},
		{in: "latest@sha256:" + strings.Repeat("a", 64), bad: true}, // the digest of an OCI manifest
		{in: "sha256:" + strings.Repeat("a", 64), bad: true},        // a bucket's listing
		{in: "1.2.3+0123456789ab", bad: true},                       // a chart
		{in: "main@", bad: true},
		{in: "main@" + commit, bad: true},
		{in: "main@sha1:", bad: true},
	}
	for _, tt := range tests {
		got, err := ParseRevision(tt.in)
		if got != tt.want || errors.Is(err, ErrNoCommit) != tt.bad || (err != nil) != tt.bad {
			t.Errorf("ParseRevision(%q) = %+v, %v; want %+v, refused %t", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

// FuzzParseRevision: what is read back has a full commit id, and writing it again reads the same.
func FuzzParseRevision(f *testing.F) {
	for _, s := range []string{"main@sha1:" + commit, "sha1:" + commit, "main/" + commit, "main@<unknown>:x", "a@b@sha1:" + commit} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRevision(s)
		if err != nil {
			if r != (Revision{}) {
				t.Errorf("ParseRevision(%q) gives %+v beside an error", s, r)
			}
			return
		}
		if len(r.Commit) != 40 || !IsCommit(r.Commit) || !strings.HasSuffix(s, r.Commit) {
			t.Errorf("ParseRevision(%q) = %+v", s, r)
		}
		again := "sha1:" + r.Commit
		if r.Ref != "" {
			again = r.Ref + "@" + again
		}
		if back, err := ParseRevision(again); err != nil || back != r {
			t.Errorf("ParseRevision(%q) = %+v, %v; want %+v", again, back, err, r)
		}
	})
}
