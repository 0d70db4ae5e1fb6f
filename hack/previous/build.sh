#!/usr/bin/env bash
# Build Fairway as it was at an earlier commit, which stands for the version before in the tests of upgrades,
# and print the folder that holds its binary and its chart. A build that is there already is reused. Where
# the history does not reach back that far, as in a shallow clone, it prints nothing and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."

commit=$(cat hack/previous/commit)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/previous-${commit:0:12}
mkdir -p "$out"

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/fairway" ]; then
	if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
		echo "the history of this clone does not hold $commit" >&2
		exit 0
	fi
	echo "building fairway of $commit" >&2
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	git archive "$commit" | tar -x -C "$tree"
	rm -rf "$out/chart"
	cp -R "$tree/charts/fairway" "$out/chart"
	# Paths are not trimmed, so that the modules that both trees share are built once.
	(cd "$tree" && go build -buildvcs=false -ldflags -w -o "$out/fairway.$$" ./cmd/fairway)
	mv "$out/fairway.$$" "$out/fairway" # a half-written binary is never seen under its name
fi
echo "$out"
