//go:build tools

// Package certmanager pins the cert-manager that the end-to-end tests run: the last line whose controller
// is in the main module, so that it can be built from the module proxy. Its APIs are v1, as in later ones.
package certmanager

import _ "github.com/cert-manager/cert-manager/cmd/controller"
