#!/usr/bin/env bash
# Build kube-apiserver, kube-controller-manager, kubectl and etcd from the pinned modules into a cache
# and print the folder that holds them. A build that is there already is reused, so this is cheap to call.
set -euo pipefail
cd "$(dirname "$0")"

kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
etcd=$(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/controlplane-$kubernetes-etcd-$etcd
mkdir -p "$out"

build() { # build NAME PACKAGE VERSION: nothing to do where the binary stands already
	[ -x "$out/$1" ] && return
	echo "building $1 $3 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath \
		-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$3" -o "$out/$1.$$" "$2"
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
build etcd go.etcd.io/etcd/server/v3 "$etcd"
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$kubernetes"
build kubectl k8s.io/kubernetes/cmd/kubectl "$kubernetes"
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager "$kubernetes"
echo "$out"
