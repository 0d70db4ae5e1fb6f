#!/usr/bin/env bash
# Build the binary of a release for GOOS and GOARCH, as binary.sh VERSION FILE: the same bytes from the same
# source, in whatever place and on whatever machine. The Go is the one that go.mod names.
set -euo pipefail
version=$1 file=$2
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/../.."

GOTOOLCHAIN=$(hack/release/toolchain.sh) CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
	go build -trimpath -ldflags "-s -w -buildid= -X main.release=$version" -o "$file" ./cmd/fairway
