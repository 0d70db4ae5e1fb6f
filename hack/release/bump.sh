#!/usr/bin/env bash
# Write a version into the chart and date its section in the changelog, as bump.sh VERSION [DATE].
set -euo pipefail
version=${1#v} date=${2:-$(date -u +%F)}
cd "$(dirname "$0")/../.."

if ! [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
	echo "$1 is not a semantic version" >&2
	exit 1
fi
if hack/release/notes.sh "$version" >/dev/null 2>&1; then
	echo "CHANGELOG.md has a section for $version already" >&2
	exit 1
fi
edit() { # edit FILE SCRIPT: GNU sed and others differ in -i, so there is none
	sed "$2" "$1" > "$1.new"
	cat "$1.new" > "$1"
	rm "$1.new"
}
edit charts/fairway/Chart.yaml "s/^version: .*/version: $version/; s/^appVersion: .*/appVersion: \"$version\"/; s|^\(      image: ghcr.io/fairway-dev/fairway-[a-z]*:\).*|\1$version|"
edit CHANGELOG.md "s/^## \[Unreleased\]$/&\\
\\
## [$version] - $date/"
hack/release/version.sh "$version"
hack/release/notes.sh "$version" >/dev/null
