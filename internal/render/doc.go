// Package render makes the objects that Git renders at a commit, and notes everything that the
// render depended on.
//
// It works on a read-only tree and on nothing else: no network, no other program, no clock, no
// cluster. What a tree holds was written by whoever may push, so everything is bounded (see
// Limits) and read strictly: text that kubectl and kustomize would read in two ways is refused,
// never guessed. A link, a submodule or a pointer to Git LFS in the way is refused too, since the
// content that an engine would find behind it is not in the tree that was approved.
//
// Why a source does not render is a Refusal: a value with a stable reason, for people. An error
// means that the render could not be judged at all (the tree could not be read, the time ran out)
// and that asking again may help. In both cases there are no objects; after a refusal the closure
// tells what was looked at until then. No refusal and no error ever holds a value of a manifest.
//
// Kustomize is a library that was not written for hostile input: it can end or exhaust the process
// that it runs in. Render it in a process of its own, with package worker.
package render
