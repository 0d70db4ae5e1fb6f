#!/usr/bin/env bash
# Look for known vulnerabilities in what the product calls. The database is the pinned module golang.org/x/vulndb,
# from which vuln.go.dev is made, so that the answer is the same wherever the module proxy is reached and changes
# with a commit alone; VULNDB=https://vuln.go.dev asks for today's. Fails where a vulnerable symbol is called.
set -euo pipefail
cd "$(dirname "$0")"

# What is released is built by the Go that go.mod names, and so its standard library is the one to look at.
GOTOOLCHAIN=$(../release/toolchain.sh)
export GOTOOLCHAIN

checker=$(go list -m -f '{{.Version}}' golang.org/x/vuln)
data=$(go list -m -f '{{.Version}}' golang.org/x/vulndb)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/vulncheck-$checker-$data-$(go env GOVERSION)

if [ ! -e "$out" ]; then
	echo "building govulncheck $checker and its database $data" >&2
	mkdir -p "$(dirname "$out")"
	made=$(mktemp -d "$out.XXXXXX")
	trap 'rm -rf "$made"' EXIT
	CGO_ENABLED=0 GOBIN=$made go install -trimpath tool
	"$made/indexdb" -vulns "$(go list -m -f '{{.Dir}}' golang.org/x/vulndb)/data/osv" -out "$made/db"
	mv -T "$made" "$out" 2>/dev/null || test -e "$out" # somebody else may have been first
fi

cd ../..
for platform in linux/amd64 linux/arm64; do
	echo "$platform:"
	GOOS=${platform%/*} GOARCH=${platform#*/} "$out/govulncheck" -db "${VULNDB:-file://$out/db}" "$@" ./cmd/...
done
