#!/usr/bin/env bash
# Push the chart that dist.sh made, as push-chart.sh VERSION REGISTRY [FLAGS of helm push], and print where it is, with
# its digest.
set -euo pipefail
version=${1#v} registry=$2
shift 2
cd "$(dirname "$0")/../.."

said=$("$(hack/helm/build.sh)" push "dist/fairway-$version.tgz" "oci://$registry/charts" "$@" 2>&1) || { echo "$said" >&2; exit 1; }
digest=$(sed -n 's/^Digest: //p' <<< "$said")
[ -n "$digest" ] || { echo "helm names no digest: $said" >&2; exit 1; }
echo "$registry/charts/fairway@$digest"
