#!/usr/bin/env bash
# Print the Go that builds a release: the toolchain of go.mod.
set -euo pipefail
cd "$(dirname "$0")/../.."
go mod edit -json | sed -n 's/.*"Toolchain": "\(.*\)".*/\1/p'
