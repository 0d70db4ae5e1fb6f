#!/usr/bin/env bash
# Sign a file or an image of a release, as sign.sh FILE|IMAGE@DIGEST [FLAGS of cosign]. Without flags the identity of
# the workflow that runs it signs. The signature of a file goes beside it, that of an image into its registry.
set -euo pipefail
what=$1
shift
cosign=$("$(dirname "$0")/../cosign/build.sh")/cosign

if [ -f "$what" ]; then
	exec "$cosign" sign-blob --yes --bundle "$what.sigstore.json" "$@" "$what"
fi
# A tag can be moved, so a digest is signed; and each platform's image, for those who name that one.
case $what in
*@sha256:*) exec "$cosign" sign --yes --recursive "$@" "$what" ;;
esac
echo "$what is neither a file nor an image with its digest" >&2
exit 1
