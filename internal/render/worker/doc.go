// Package worker renders in a process of its own, so that nothing a repository holds can end,
// exhaust or hang the process that asks, or use what that process can reach.
//
// The libraries behind package render were not written for hostile input: a few lines of patches
// can double a manifest until memory is used up, and some mistakes end the process outright. A
// worker is started for one render. It has no environment, a limit on memory and on processor time,
// and gives up the right to open anything (files, sockets, programs) before it reads the first byte
// of the repository; the tree is read for it, through its standard input and output. It is killed
// when the time runs out.
//
// A worker that ends by its own fault, or passes its memory, is a refusal: the same commit would end
// the next one too. One that is killed from outside, or cannot be started, is an error: nothing is
// known.
package worker
