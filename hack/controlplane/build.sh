#!/usr/bin/env bash
# Build kube-apiserver, kube-controller-manager, kubectl and etcd from the pinned modules into a cache
# and print the folder that holds them. A build that is there already is reused, so this is cheap to call.
# FAIRWAY_KUBERNETES=1.35 takes the API server and the controller manager of an older minor, one of the folders
# beside this file, between the same etcd and the same kubectl.
set -euo pipefail
cd "$(dirname "$0")"

minor=${FAIRWAY_KUBERNETES:-}
if [ -n "$minor" ] && [ ! -f "$minor/go.mod" ]; then
	echo "FAIRWAY_KUBERNETES=$minor: no such minor; there are: $(dirname -- */go.mod | xargs)" >&2
	exit 1
fi
newest=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
kubernetes=$(go -C "./$minor" list -m -f '{{.Version}}' k8s.io/kubernetes)
etcd=$(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3)
cache=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}
out=$cache/controlplane-$kubernetes-etcd-$etcd
mkdir -p "$out"

build() { # build NAME PACKAGE VERSION [FOLDER]: nothing to do where the binary stands already
	[ -x "$out/$1" ] && return
	echo "building $1 $3 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go -C "./${4:-}" build -trimpath \
		-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$3" -o "$out/$1.$$" "$2"
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
build etcd go.etcd.io/etcd/server/v3 "$etcd"
build kubectl k8s.io/kubernetes/cmd/kubectl "$newest"
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$kubernetes" "$minor"
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager "$kubernetes" "$minor"
echo "$out"
