// Package schema gives canon the structural types of Kubernetes' kinds: the built-in ones from
// client-go, custom ones from their CustomResourceDefinition or from the cluster's OpenAPI, and
// builds the canonical form of a manifest as the API server would store it.
//
// A Snapshot is immutable. A kind that it does not hold is unknown, and nothing of an unknown kind
// is ever bound.
package schema
