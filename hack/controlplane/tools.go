//go:build tools

// Package controlplane pins the commands of a Kubernetes control plane, so that the integration
// tests run on a real API server and etcd built from source, and kubectl, with which the commands in
// the documentation are run. Nothing here reaches the product.
package controlplane

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
