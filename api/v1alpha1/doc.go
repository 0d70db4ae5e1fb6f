// Package v1alpha1 holds Fairway's kinds: how strict an environment is (EnvironmentTier), what may
// reach a namespace (TierBinding), who people are (Team), where content comes from (Repository),
// and what Fairway writes down about it (ProvenCommit, Delivery, BreakGlass).
//
// The package describes and checks shape alone: it judges nothing, reads nothing and imports
// apimachinery only. What a schema can refuse is refused by the API server, with a message that
// says what to write instead; what needs other objects is said by a condition of the object.
//
// Every field left out means the stricter choice wherever there is one, so that a forgotten field
// cannot open a gate. Defaults in the schema only write that choice down.
//
// +kubebuilder:object:generate=true
// +groupName=fairway.dev
package v1alpha1

//go:generate ../../hack/tools/generate.sh
