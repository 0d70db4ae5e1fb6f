#!/usr/bin/env bash
# What a container engine alone can prove where nothing can be pulled: that an image of nothing but the
# binary starts as the chart starts it, without root, with a root that cannot be written to, without a
# capability and without a network. A kubelet would need a node's image and a pause image as well.
set -euo pipefail
cd "$(dirname "$0")/../.."

docker version >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make --no-print-directory build
# Imported and not built: a build asks for an engine's own images.
tar -C bin -c fairway | docker import --change 'ENTRYPOINT ["/fairway"]' --change 'USER 65532:65532' - fairway-gate:offline
run=(docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges)
"${run[@]}" fairway-gate:offline version
# It starts and says what it lacks, and does not fall over for want of a shell, a home or a place to write.
if "${run[@]}" fairway-gate:offline gate --tls-dir /tls 2> "$work/said"; then exit 1; fi
cat "$work/said"
grep -q 'certificate' "$work/said"
echo "the gate's image starts as the chart starts it"
