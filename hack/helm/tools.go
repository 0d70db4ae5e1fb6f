//go:build tools

// Package helm pins the Helm that the tests of delivery run with. It is a module of its own, so that
// nothing of the command line of Helm enters the product's build. See build.sh.
package helm

import (
	_ "helm.sh/helm/v4/cmd/helm"
)
