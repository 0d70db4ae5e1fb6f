// Package controller is the door to a cluster's API server beside admission: it watches Fairway's
// kinds, tells people in conditions and Events what became of them, reads the live objects that a
// verdict needs, and sweeps namespaces for what differs from the proofs.
//
// It decides nothing about a change. What it writes is for people: a status or an Event that cannot be
// written is tried again, and holds up no verdict. What it reads for a verdict and cannot read could
// not be told.
package controller
