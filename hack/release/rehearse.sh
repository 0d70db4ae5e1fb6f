#!/usr/bin/env bash
# Rehearse a release where nothing is published: make its files, push images and the chart to a registry on loopback,
# sign all of it as a job of GitHub Actions would, and run the commands of docs/release.md by which a user checks it. Then
# change what an attacker would, and see each refused. Whom a release trusts is on loopback too (strangers.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."

chart=$(sed -n 's/^version: //p' charts/fairway/Chart.yaml)
version=v$chart
tools=$(hack/cosign/build.sh)
sigstore=$(hack/sigstore/build.sh)
issuer=https://token.actions.githubusercontent.com
workflow=https://github.com/fairway-dev/fairway/.github/workflows/release.yml
work=$(mktemp -d)
running=()
cleanup() {
	kill "${running[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
. hack/release/strangers.sh
step() { echo "--- $*"; }
crane() { "$tools/crane" "$@" 2> "$work/crane.log" || { cat "$work/crane.log" >&2; return 1; }; }

step "the files of $version"
hack/release/dist.sh "$version"

step "a registry, GitHub's token service, Fulcio, Rekor and a timestamping authority on loopback"
port=$(free)
background registry "$tools/crane" registry serve --address "127.0.0.1:$port"
answers registry "http://127.0.0.1:$port/v2/"
here=127.0.0.1:$port/fairway-dev
go build -o "$work/actions" ./hack/actions
background actions "$work/actions" "$work"
until actions=$(< "$work/actions.log") && [ -n "$actions" ]; do sleep 0.1; done
fulcio fulcio
rekor
timestamps
world public "$fulcio" fulcio
world unlogged "$fulcio" fulcio unlogged
fulcio stranger
world stranger "$fulcio" stranger

step "images for two platforms, which hold the binary alone, and an attestation"
for role in gate prover; do
	image=$here/fairway-$role
	platforms=()
	for arch in amd64 arm64; do
		install -D "dist/fairway-linux-$arch" "$work/$arch/fairway"
		tar -C "$work/$arch" --owner 0 --group 0 --mtime @0 -cf "$work/$role-$arch.tar" fairway
		crane append --oci-empty-base -f "$work/$role-$arch.tar" -t "$image:$arch" >/dev/null
		crane mutate "$image:$arch" --set-platform "linux/$arch" --user 65532:65532 --entrypoint /fairway --label "role=$role" -t "$image:$arch" >/dev/null
		platforms+=(-m "$image:$arch")
	done
	# Provenance and SBOM lie beside the platforms, as an image for no platform.
	echo '{"_type": "https://in-toto.io/Statement/v0.1"}' > "$work/statement.json"
	crane append --oci-empty-base -f <(tar -C "$work" -c statement.json) -t "$image:attestation" >/dev/null
	crane mutate "$image:attestation" --set-platform unknown/unknown -t "$image:attestation" >/dev/null
	crane index append "${platforms[@]}" -m "$image:attestation" -t "$image:$chart" >/dev/null
done

job() { # job REPOSITORY WORKFLOW REF: whose token is asked for from here on
	export ACTIONS_ID_TOKEN_REQUEST_TOKEN=rehearsal ACTIONS_ID_TOKEN_REQUEST_URL="http://$actions/?repository=$1&workflow=$2&ref=$3"
}
sign() { # sign WHAT [WORLD]: as the workflow does
	local at=$work/${2:-public}
	hack/release/sign.sh "$1" --signing-config "$at.services" --trusted-root "$at.trust" > "$work/signing" 2>&1 || { cat "$work/signing" >&2; return 1; }
}
release() { job fairway-dev/fairway release.yml "refs/tags/$version"; }

step "the chart, and signatures"
release
pushed=$(hack/release/push-chart.sh "$version" "$here" --plain-http)
sign "$pushed"
for role in gate prover; do
	sign "$here/fairway-$role@$(crane digest "$here/fairway-$role:$chart")"
done
sign dist/SHA256SUMS

step "what docs/release.md has a user do"
mkdir "$work/bin"
cat > "$work/bin/cosign" <<EOT
#!/bin/bash
exec "$tools/cosign" "\$1" --trusted-root "$work/public.trust" --insecure-ignore-sct "\${@:2}"
EOT
cat > "$work/bin/curl" <<EOT
#!/bin/bash
for at in "\$@"; do
	case \$at in "https://github.com/fairway-dev/fairway/releases/download/$version/"*) cp "\$DIST/\${at##*/}" . ;; esac
done
EOT
chmod +x "$work/bin/"*
sed -n '/^```bash$/,/^```$/{/^```/d;p}' docs/release.md | sed "s|ghcr.io/fairway-dev|$here|" > "$work/check.sh"
[ -s "$work/check.sh" ]
check() { # check FILES: what the page has a user do, with the files of a release
	rm -rf "$work/user"
	mkdir "$work/user"
	(cd "$work/user" && DIST=$1 version=$version PATH=$work/bin:$PATH bash -euo pipefail "$work/check.sh")
}
check "$PWD/dist" > "$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
grep -E 'OK$|^Verification for' "$work/said"
for arch in amd64 arm64; do # an index is signed with what it lists
	"$work/bin/cosign" verify --certificate-oidc-issuer "$issuer" --certificate-identity "$workflow@refs/tags/$version" \
		"$here/fairway-gate@$(crane digest --platform "linux/$arch" "$here/fairway-gate:$chart")" >/dev/null 2> "$work/said" || { cat "$work/said" >&2; exit 1; }
done

step "what an attacker changes"
refused() { # refused WHAT PATTERN FILES: the check fails, for that reason
	if check "$3" > "$work/said" 2>&1; then
		echo "not refused: $1" >&2
		exit 1
	fi
	grep -q -- "$2" "$work/said" || { echo "refused for another reason: $1" >&2; cat "$work/said" >&2; exit 1; }
	echo "refused: $1: $(grep -m1 -- "$2" "$work/said" | cut -c 1-300)"
}
tampered() { # tampered NAME: a copy of the files to change
	rm -rf "${work:?}/$1"
	cp -r dist "$work/$1"
	printf X | dd of="$work/$1/fairway-linux-amd64" bs=1 conv=notrunc status=none
}
resigned() { # resigned NAME [WORLD]: the sums of what was changed, signed by whose job it is
	tampered "$1"
	(cd "$work/$1" && rm SHA256SUMS* && sha256sum -- * > SHA256SUMS)
	sign "$work/$1/SHA256SUMS" "${2:-public}"
}
tampered byte
refused "a byte of a binary" "fairway-linux-amd64: FAILED" "$work/byte"
(cd "$work/byte" && sha256sum fairway-linux-amd64 >> SHA256SUMS)
refused "a byte of a binary, and its sum" "invalid signature" "$work/byte"

other="no matching CertificateIdentity found"
job mallory/fairway release.yml "refs/tags/$version"
resigned fork
refused "files that a fork signed" "$other" "$work/fork"
job fairway-dev/fairway release.yml refs/heads/main
resigned branch
refused "files that a branch signed" "$other" "$work/branch"
job fairway-dev/fairway ci.yml "refs/tags/$version"
resigned workflow
refused "files that another workflow signed" "$other" "$work/workflow"
job fairway-dev/fairway release.yml refs/tags/v0.0.1
resigned earlier
refused "files of an earlier release" "$other" "$work/earlier"
release
resigned stranger stranger
refused "files whose signer an unknown authority certified" "leaf certificate verification failed" "$work/stranger"
resigned unlogged unlogged
refused "files whose signature no log has" "transparency log" "$work/unlogged"

job fairway-dev/fairway release.yml refs/tags/v0.0.1
for name in fairway-gate fairway-prover charts/fairway; do
	at=$here/$name
	true=$(crane digest "$at:$chart")
	crane append --oci-empty-base -f "$work/gate-amd64.tar" -t "$at:$chart" >/dev/null
	refused "$name: a tag that was moved" "no signatures found" "$PWD/dist"
	sign "$at@$(crane digest "$at:$chart")"
	refused "$name: a tag that was moved to an earlier release" "$other" "$PWD/dist"
	crane tag "$at@$true" "$chart"
done
check "$PWD/dist" > "$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }

step "the next version"
mkdir "$work/next"
cp -r --parents charts/fairway CHANGELOG.md hack/release "$work/next"
if "$work/next/hack/release/version.sh" v9.8.7 2> "$work/said"; then exit 1; fi
"$work/next/hack/release/bump.sh" v9.8.7
"$work/next/hack/release/version.sh" v9.8.7
"$work/next/hack/release/notes.sh" v9.8.7 > "$work/notes"
wc -l < "$work/notes"
rm dist/SHA256SUMS.sigstore.json # it is worth nothing outside
echo "the release is rehearsed"
