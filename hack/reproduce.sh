#!/usr/bin/env bash
# Build the product twice, from two copies in two places with a build cache each, and fail where the two
# differ: whoever has the source of a release can then tell that its binary is made of it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${VERSION:-reproduce}
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
for copy in one another-place; do
	mkdir "$work/$copy"
	git archive HEAD | tar -x -C "$work/$copy"
	GOCACHE=$work/cache-$copy "$work/$copy/hack/release/binary.sh" "$version" "$work/fairway-$copy"
done
sha256sum "$work"/fairway-* | sed "s|$work/||"
cmp "$work/fairway-one" "$work/fairway-another-place"
echo "the two are the same"
