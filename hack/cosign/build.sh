#!/usr/bin/env bash
# Build cosign, which signs releases and verifies them, and crane, which speaks to registries and is one, from the
# pinned modules into the cache and print the folder that holds them. A build that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

cosign=$(go list -m -f '{{.Version}}' github.com/sigstore/cosign/v3)
crane=$(go list -m -f '{{.Version}}' github.com/google/go-containerregistry)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/cosign-$cosign-crane-$crane
mkdir -p "$out"

build() { # build NAME PACKAGE LDFLAGS
	[ ! -x "$out/$1" ] || return 0
	echo "building $1 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $3" -o "$out/$1.$$" "$2"
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}
build cosign github.com/sigstore/cosign/v3/cmd/cosign "-X sigs.k8s.io/release-utils/version.gitVersion=$cosign"
build crane github.com/google/go-containerregistry/cmd/crane "-X github.com/google/go-containerregistry/cmd/crane/cmd.Version=$crane"
echo "$out"
