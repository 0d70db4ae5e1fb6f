// Package webhook is the door through which the API server asks: an HTTP front for AdmissionReview
// v1 of its own, at /validate, with /readyz, /livez and /metrics beside it.
//
// It reads a review leanly (one pass, the objects stay raw bytes), hands a change.Request to a
// Judge under a deadline and writes the answer. It holds no rule: it cannot allow anything that
// the judge did not.
//
// What it refuses to do: answer a readable request without its uid (the API server takes such an
// answer for a failed call, which a fail-open webhook admits, T-05), redirect (T-64), hold a
// request until the API server gives up, or spend memory and goroutines without bound (T-32, T-50,
// T-58).
//
// How it fails: closed. A verdict that is Unknown, a judge that panics or is late, a review that
// cannot be read, a body beyond the cap: all of them are a well-formed denial with the uid. The
// door does not know the tier of a request it could not judge, so it denies for open tiers too.
// Being short of room for a moment, or not ready yet, is HTTP 429 with Retry-After, which the API
// server retries by itself within its timeout. Only a request whose uid cannot be read gets a bare
// HTTP error.
package webhook
