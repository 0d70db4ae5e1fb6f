// Package v1alpha1 holds Fairway's kinds: how strict an environment is (EnvironmentTier), what may
// reach a namespace (TierBinding), who people are (Team), where content comes from (Repository),
// and what Fairway writes down about it (ProvenCommit, Delivery, BreakGlass).
//
// The package describes and checks shape alone: it judges nothing, reads nothing and imports
// apimachinery only. What a schema can refuse is refused by the API server, with a message that
// says what to write instead; what needs other objects is said by a condition of the object.
//
// A field that decides whether something is judged is required, or means the stricter choice when
// it is left out, so that a forgotten field opens no gate; a rule that is left out asks for nothing.
// Defaults in the schema only write down what leaving the field out means anyway.
//
// +kubebuilder:object:generate=true
// +groupName=fairway.dev
package v1alpha1

//go:generate ../../hack/tools/generate.sh
