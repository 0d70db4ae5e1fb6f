#!/usr/bin/env bash
# Build what stands behind a signature without keys, for a rehearsal of it: Fulcio, which certifies an identity, a
# transparency log (Rekor) and a timestamping authority. Print the folder that holds them, with Fulcio's own settings of
# who is certified as what. A build that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

version() { go list -m -f '{{.Version}}' "github.com/sigstore/$1"; }
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/sigstore-$(version fulcio)-$(version rekor-tiles/v2)-$(version timestamp-authority/v2)
mkdir -p "$out"

build() { # build NAME PACKAGE
	[ ! -x "$out/$1" ] || return 0
	echo "building $1 from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/$1.$$" "github.com/sigstore/$2"
	mv "$out/$1.$$" "$out/$1" # a half-written binary is never seen under its name
}
build fulcio fulcio
build rekor rekor-tiles/v2/cmd/rekor-server/posix
build timestamps timestamp-authority/v2/cmd/timestamp-server
cp -f "$(go list -m -f '{{.Dir}}' github.com/sigstore/fulcio)/config/identity/config.yaml" "$out/fulcio.yaml"
echo "$out"
