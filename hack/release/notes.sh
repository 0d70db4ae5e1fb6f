#!/usr/bin/env bash
# Print what CHANGELOG.md says of a version, as notes.sh VERSION; fail where it says nothing.
set -euo pipefail
version=${1#v}
cd "$(dirname "$0")/../.."

awk -v version="$version" '
	/^## / { on = index($0, "## [" version "] - ") == 1; next }
	on { print; said = said || NF }
	END { exit !said }
' CHANGELOG.md || { echo "CHANGELOG.md has no dated section for $version" >&2; exit 1; }
