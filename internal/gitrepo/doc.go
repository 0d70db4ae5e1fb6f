// Package gitrepo answers questions about git repositories: what a commit says, what a tree holds,
// what happened on a branch between two commits, and whether what happened is what people approved.
//
// It works on the git binary (2.38 or newer) for transport and history, and parses every object
// that decides anything in process, from the stored bytes, with the object id recomputed. Git is
// run with its own configuration only: no hooks, no filters, no submodules, no replace refs, no
// grafts, no shallow or partial history, no credential helpers, no automatic maintenance.
//
// The package refuses to guess. An object that git and another reader could understand in two
// ways is a MalformedError, a repository that is larger or slower than its limits a LimitError, a
// history that does not hold together ErrNotOnChain or ErrNoMergeBase. No error carries a
// credential, and text that came from a remote is quoted and cut.
//
// Nothing here is for the admission path: a gate that calls this package would wait for a process.
package gitrepo
