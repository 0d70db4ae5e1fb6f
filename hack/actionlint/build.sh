#!/usr/bin/env bash
# Build actionlint, which reads the workflows, from the pinned module into a cache and print its path. A build
# that is there already is reused.
set -euo pipefail
cd "$(dirname "$0")"

version=$(go list -m -f '{{.Version}}' github.com/rhysd/actionlint)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/actionlint-$version
mkdir -p "$out"

if [ ! -x "$out/actionlint" ]; then
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$out/actionlint.$$" github.com/rhysd/actionlint/cmd/actionlint
	mv "$out/actionlint.$$" "$out/actionlint" # a half-written binary is never seen under its name
fi
echo "$out/actionlint"
