#!/usr/bin/env bash
# Make all files of a release in dist/, as dist.sh VERSION: binaries, what each is made of (CycloneDX), the texts of
# the licences of that, the chart, and the checksums of all. But for the chart nothing says when or where it was made.
# Signing and publishing are the workflow's.
set -euo pipefail
version=$1
cd "$(dirname "$0")/../.."

hack/release/version.sh "$version"
rm -rf dist
mkdir dist
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
	name=fairway-${platform/\//-}
	echo "$name" >&2
	GOOS=${platform%/*} GOARCH=${platform#*/} hack/release/binary.sh "$version" "dist/$name"
	(cd hack/release && go tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$version" -output "../../dist/$name.cdx.json" "../../dist/$name")
done
(cd hack/licenses && go run . -texts) > dist/third-party-licenses.txt
"$(hack/helm/build.sh)" package charts/fairway --destination dist >&2
(cd dist && sha256sum -- * > SHA256SUMS)
ls dist
