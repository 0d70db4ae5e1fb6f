#!/usr/bin/env bash
# Build cert-manager's controller and CA injector from the pinned module into a cache, put its CRDs beside
# them, and print the folder that holds all. A build that is there already is reused.
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
for name in controller cainjector; do
	[ -x "$out/$name" ] && continue
	echo "building cert-manager's $name $version from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=$version" \
		-o "$out/$name.$$" "github.com/cert-manager/cert-manager/cmd/$name"
	mv "$out/$name.$$" "$out/$name" # a half-written binary is never seen under its name
done
mkdir -p "$out/crds"
cp -f "$(go list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)"/deploy/crds/crd-*.yaml "$out/crds/"
chmod -R u+w "$out/crds"
echo "$out"
