package origin

import (
	"errors"
	"fmt"
	"strings"
)

// Revision is a revision that Flux reports, taken apart.
type Revision struct {
	Ref    string // branch, tag or full ref; empty where the source is pinned to a commit
	Commit string // full hex id
}

// ErrNoCommit says that a revision names no commit of Git: an OCI artifact, a bucket, a chart, or a
// repository of an object format that Flux does not know.
var ErrNoCommit = errors.New("the revision names no commit of git")

// ParseRevision reads a revision as Flux writes it for a GitRepository: "main@sha1:<id>",
// "refs/pull/420/head@sha1:<id>", "sha1:<id>", and "main/<id>" of old versions. The ref says which
// name was fetched, not that the commit is on it.
func ParseRevision(s string) (Revision, error) {
	ref, digest := "", s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		ref, digest = s[:i], s[i+1:]
		if ref == "" {
			return Revision{}, fmt.Errorf("reading a revision: nothing before the at sign: %w", ErrNoCommit)
		}
	}
	if algorithm, id, typed := strings.Cut(digest, ":"); typed {
		if algorithm != "sha1" || len(id) != 40 || !IsCommit(id) {
			return Revision{}, fmt.Errorf("reading a revision: %w", ErrNoCommit)
		}
		return Revision{Ref: ref, Commit: id}, nil
	}
	i := strings.LastIndexByte(s, '/')
	if i <= 0 || len(s)-i-1 != 40 || !IsCommit(s[i+1:]) {
		return Revision{}, fmt.Errorf("reading a revision: %w", ErrNoCommit)
	}
	return Revision{Ref: s[:i], Commit: s[i+1:]}, nil
}
