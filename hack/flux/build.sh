#!/usr/bin/env bash
# Build Flux's source-controller, kustomize-controller and helm-controller from the pinned modules into a
# cache, put the definitions of their kinds beside them, and print the folder. A build that is there already is reused,
# so this is cheap to call.
set -euo pipefail
cd "$(dirname "$0")"

out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/flux
for name in source-controller kustomize-controller helm-controller; do
	out+=-$name-$(go list -m -f '{{.Version}}' "github.com/fluxcd/$name")
done
mkdir -p "$out"

build() { # build NAME: nothing to do where the binary stands already
	[ -x "$out/$1" ] && return
	echo "building $1 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/$1.$$" "github.com/fluxcd/$1"
	# The definitions come from the same module as the program, so the two cannot drift apart.
	module=$(go list -m -f '{{.Dir}}' "github.com/fluxcd/$1")
	for crd in "$module"/config/crd/bases/*.yaml; do
		install -m 0644 "$crd" "$out/$(basename "$crd")"
	done
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
build source-controller
build kustomize-controller
build helm-controller
echo "$out"
