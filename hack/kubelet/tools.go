//go:build tools

// Package kubelet pins what a node is made of in the tests of the chart: kubelet, kube-scheduler, kube-proxy
// and the plug-ins for the network of pods, all built from source by build.sh.
package kubelet

import (
	_ "github.com/containernetworking/plugins/plugins/ipam/host-local"
	_ "github.com/containernetworking/plugins/plugins/main/bridge"
	_ "github.com/containernetworking/plugins/plugins/main/loopback"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
