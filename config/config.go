// Package config holds what a cluster is given for Fairway. To programs it hands the admission policies, so that
// they can tell whether those that are in force are the ones that they were built with.
package config

import _ "embed" // for the policies

//go:embed policies/fairway.yaml
var policies string

// Policies are the ValidatingAdmissionPolicies and bindings that guard Fairway, as YAML, for an install in
// the namespace fairway-system.
func Policies() string { return policies }
