//go:build tools

// Package controlplane pins the commands of a Kubernetes control plane, so that the integration
// tests run on a real API server and etcd built from source. Nothing here reaches the product.
package controlplane

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
