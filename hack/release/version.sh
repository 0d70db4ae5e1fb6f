#!/usr/bin/env bash
# Check, as version.sh VERSION, that the chart and the images that it names are of the version of the tag.
set -euo pipefail
version=${1#v}
cd "$(dirname "$0")/../.."

says() { # says LINE
	grep -qxF -- "$1" charts/fairway/Chart.yaml || { echo "charts/fairway/Chart.yaml does not say '$1'" >&2; exit 1; }
}
says "version: $version"
says "appVersion: \"$version\""
for role in gate prover; do
	says "      image: ghcr.io/fairway-dev/fairway-$role:$version"
done
