#!/usr/bin/env bash
# Fuzz every target for a while, one after the other: fuzz.sh [TIME], ten seconds each by default.
# An input that fails is written below the package's testdata/fuzz and belongs into the commit that mends it.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
packages=$(grep -rl --include='*_test.go' '^func Fuzz' internal | xargs -n1 dirname | sort -u)
for package in $packages; do
	listed=$(go test -list '^Fuzz' "./$package")
	for target in $(grep '^Fuzz' <<<"$listed"); do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$package"
	done
done
