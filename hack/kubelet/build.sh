#!/usr/bin/env bash
# Build kubelet, kube-scheduler, kube-proxy and the plug-ins for the network of pods from the pinned modules
# into a cache, and print the folder; the plug-ins are in cni/. A build that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
plugins=$(go list -m -f '{{.Version}}' github.com/containernetworking/plugins)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/kubelet-$kubernetes-cni-$plugins
mkdir -p "$out/cni"

build() { # build NAME PACKAGE: nothing to do where the binary stands already
	[ -x "$out/$1" ] && return
	echo "building $1 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath \
		-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" -o "$out/$1.$$" "$2"
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}

if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kube-proxy k8s.io/kubernetes/cmd/kube-proxy
build kubelet k8s.io/kubernetes/cmd/kubelet
build cni/bridge github.com/containernetworking/plugins/plugins/main/bridge
build cni/loopback github.com/containernetworking/plugins/plugins/main/loopback
build cni/host-local github.com/containernetworking/plugins/plugins/ipam/host-local
echo "$out"
