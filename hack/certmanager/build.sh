#!/usr/bin/env bash
# Build cert-manager's controller from the pinned module into a cache, put its kinds beside it, and print
# the folder that holds both. A build that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

version=$(go list -m -f '{{.Version}}' github.com/cert-manager/cert-manager)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/certmanager-$version
mkdir -p "$out"

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/controller" ]; then
	echo "building cert-manager's controller $version from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=$version" \
		-o "$out/controller.$$" github.com/cert-manager/cert-manager/cmd/controller
	mv "$out/controller.$$" "$out/controller" # a half-written binary is never seen under its name
fi
mkdir -p "$out/crds"
cp -f "$(go list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)"/deploy/crds/crd-*.yaml "$out/crds/"
chmod -R u+w "$out/crds"
echo "$out"
