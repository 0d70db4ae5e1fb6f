//go:build tools

// Package kuberouter pins what enforces network policies in the test of the chart on a real kubelet; it is built
// from source by build.sh.
package kuberouter

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
