//go:build tools

// Package flux pins the controllers of Flux that deliver from Git, so that the integration tests run
// them as they are, built from source, against the real API server. Nothing here reaches the product.
package flux

import (
	_ "github.com/fluxcd/helm-controller"
	_ "github.com/fluxcd/kustomize-controller"
	_ "github.com/fluxcd/source-controller"
)
