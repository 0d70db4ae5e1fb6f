#!/usr/bin/env bash
# Build kube-router, which enforces network policies on the node of the tests, from its pinned module into a cache,
# and print the folder. A build that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

version=$(go list -m -f '{{.Version}}' github.com/cloudnativelabs/kube-router/v2)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/kuberouter-$version
mkdir -p "$out"

if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/kube-router" ]; then
	echo "building kube-router from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/kube-router.$$" github.com/cloudnativelabs/kube-router/v2/cmd/kube-router
	mv "$out/kube-router.$$" "$out/kube-router" # a half-written binary is never seen under its name
fi
echo "$out"
