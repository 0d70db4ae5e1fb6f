// Package origin reads where an object says it comes from: the marks of Flux, Argo CD and Helm, the
// stamp that `fairway stamp` writes, and the names of who applied it. It also knows what each engine
// adds to a manifest, so that a proof can be made of what will arrive.
//
// Every mark can be written by whoever can write the object. An Origin therefore selects which
// proof to compare with and explains a verdict, and nothing in it ever admits anything: the package
// refuses to look anything up, to fetch, and to take a URL from an object (T-37). It never fails:
// what is malformed or contradicts itself becomes a conflict, for people, and the part of the origin
// that it spoiled stays empty. Conflicts name keys and valid names only, so that no text from an
// object can pass for a message of Fairway's.
package origin
