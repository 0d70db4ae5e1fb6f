// Package attest makes and reads the statements that Fairway believes because of who signed them:
// approvals and their withdrawals, approvals of a roll-back, requests and approvals of break-glass,
// and the prover's signature over a ProvenCommit.
//
// A statement is an in-toto Statement v1 in a DSSE envelope, signed once, by one principal, with an
// SSH or OpenPGP key over the DSSE pre-authentication encoding, for the namespace of its kind. It is
// read strictly: an unknown field, kind or payload type, a name given twice, a second signature or a
// byte too many refuses it. What it does not say about itself, where it was found and when it was
// first seen, comes from the caller.
//
// The package decides nothing about tiers. It reads no ref, file or clock. Reading fails closed: it
// gives either a value that only a good signature can produce (Signed) or a Refusal.
package attest
