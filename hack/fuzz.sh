#!/usr/bin/env bash
# Fuzz every target for a while, one after the other: fuzz.sh [TIME], ten seconds each by default, or a
# number of runs such as 100x. What was learnt goes to the same cache that `go test -fuzz` uses. An input
# that fails is written below the package's testdata/fuzz and belongs into the commit that mends it.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
# What guides the fuzzer is built into everything below the tests, which takes minutes where it was never
# built before. For a number of runs it is not worth it.
guide=(-fuzz .)
case $time in *x) guide=() ;; esac
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
corpus=$(go env GOCACHE)/fuzz

# fuzz BINARY TARGET CORPUS: the time that runs out while an input is tried is no finding, although Go's
# fuzzer ends with it as with one.
fuzz() {
	local said
	if said=$("$1" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzcachedir "$3" -test.timeout 10m 2>&1); then
		tail -n 2 <<<"$said" | head -n 1
	elif grep -q '^ *context deadline exceeded$' <<<"$said" && ! grep -q 'Failing input' <<<"$said"; then
		echo "the time ran out within a run"
	else
		echo "$said" >&2
		return 1
	fi
}

count=0
packages=$(grep -rl --include='*_test.go' '^func Fuzz' cmd internal | xargs -n1 dirname | sort -u)
for package in $packages; do
	go test -c "${guide[@]}" -o "$binaries/test" "./$package"
	name=$(go list "./$package")
	for target in $("$binaries/test" -test.list '^Fuzz'); do
		echo "== $package $target"
		(cd "$package" && fuzz "$binaries/test" "$target" "$corpus/$name")
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ] || { echo "there is no fuzz target: where did they go?" >&2 && exit 1; }
echo "fuzzed $count targets for $time each"
