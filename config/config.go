// Package config holds what a cluster is given for Fairway. To programs it hands the kinds, so that they can tell what
// an API server would refuse, and the admission policies, so that they can tell whether those that are in force are
// the ones that they were built with.
package config

import (
	"embed"
	"io/fs"
)

var (
	//go:embed crd/*.yaml
	crds embed.FS
	//go:embed policies/fairway.yaml
	policies string
)

// CRDs are the CustomResourceDefinitions of Fairway's kinds, a YAML file each, in the folder crd.
func CRDs() fs.FS { return crds }

// Policies are the ValidatingAdmissionPolicies and bindings that guard Fairway, as YAML, for an install in
// the namespace fairway-system.
func Policies() string { return policies }
