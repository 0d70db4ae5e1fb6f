//go:build tools

// Package minor pins the commands of an older Kubernetes control plane, so that the integration tests can run
// on its API server as well. Nothing here reaches the product.
package minor

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
