#!/usr/bin/env bash
# Build the Helm command line from the pinned module into the cache and print its path. A build that is
# there already is reused, so this is cheap to call.
set -euo pipefail
cd "$(dirname "$0")"

helm=$(go list -m -f '{{.Version}}' helm.sh/helm/v4)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/helm-$helm
mkdir -p "$out"

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/helm" ]; then
	echo "building helm $helm from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath \
		-ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$helm" -o "$out/helm.$$" helm.sh/helm/v4/cmd/helm
	mv "$out/helm.$$" "$out/helm" # a half-written binary is never seen under its name
fi
echo "$out/helm"
