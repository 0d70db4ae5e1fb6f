#!/usr/bin/env bash
# Build golangci-lint with kube-api-linter inside from the pinned modules into a cache and print its
# path. A build that is there already is reused. It is a module of its own: linters bring hundreds of
# dependencies, and none of them may enter the product's go.mod.
set -euo pipefail
cd "$(dirname "$0")"

lint=$(go list -m -f '{{.Version}}' github.com/golangci/golangci-lint/v2)
kal=$(go list -m -f '{{.Version}}' sigs.k8s.io/kube-api-linter)
# The linter reads code with the parser of the Go that built it, so that is part of the name.
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/lint-$lint-$kal-$(go env GOVERSION)
mkdir -p "$out"

if [ ! -x "$out/golangci-lint" ]; then
	echo "building golangci-lint $lint from source; the first time takes some minutes" >&2
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$lint" -o "$out/golangci-lint.$$" \
		sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
	mv "$out/golangci-lint.$$" "$out/golangci-lint"
fi
echo "$out/golangci-lint"
