// Package canon decides whether an admitted object is what a manifest in Git asks for. It holds the
// canonical form of a manifest, its keyed digest, the binding of a request to such a digest, and the
// questions about what a request changes that the other lanes ask.
//
// The binding is exact for server-side apply: the API server itself records in managedFields which
// fields a client sent. The digest covers precisely those fields and their values, so neither the
// defaults that the server adds nor the work of other managers can be mistaken for Git's content,
// and the gate needs no manifest to compare with, only a digest.
//
// The package refuses to guess. What it cannot parse, a kind without a schema, a list with two
// items of one key, a request that is not a server-side apply: none of them is bound. It reads
// nothing from outside, and no value of an object ever stands in a path, a reason or an error.
package canon
