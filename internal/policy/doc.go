// Package policy is the judge. Evaluate judges one commit by one tier, from the evidence about it;
// Admit judges one request, from the proofs that speak of it. Prover, gate, check, replay and
// audit call these same functions.
//
// The package refuses to look anything up: it has no clock, reads nothing and keeps nothing. What
// it is not told it does not know, and what it does not know it does not admit: the zero value of
// every input leads to a verdict that is not Allow. It never fails; a refusal is a Verdict with
// findings, each with a stable code, what is missing, and who can supply it.
//
// Text from outside (names, subjects, tickets, paths) reaches a message only through Quote, so
// that no denial can be taken for an immutable-field error, on which GitOps engines delete and
// re-create the object.
package policy
