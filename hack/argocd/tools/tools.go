//go:build tools

// Package tools pins the programs that Argo CD's repository server renders with, in a module of their own: together with
// Argo CD they would move its libraries.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "sigs.k8s.io/kustomize/kustomize/v5"
)
