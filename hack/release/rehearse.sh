#!/usr/bin/env bash
# Rehearse a release where nothing is published: make its files, push images and the chart to a registry on loopback,
# sign all of it, and run the commands of docs/release.md by which a user checks it. Then change what an attacker
# would, and see each refused. The signatures bear the identity of the workflow, whose certificate an authority made
# here issues and no log records: Fulcio and Rekor are the only strangers that are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

chart=$(sed -n 's/^version: //p' charts/fairway/Chart.yaml)
version=v$chart
tools=$(hack/cosign/build.sh)
work=$(mktemp -d)
registry=
cleanup() {
	[ -z "$registry" ] || kill "$registry" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
step() { echo "--- $*"; }
crane() { "$tools/crane" "$@" 2> "$work/crane.log" || { cat "$work/crane.log" >&2; return 1; }; }

step "the files of $version"
hack/release/dist.sh "$version"

step "a registry on loopback"
"$tools/crane" registry serve --address 127.0.0.1:0 2> "$work/registry.log" &
registry=$!
until port=$(sed -n 's/.*serving on port //p' "$work/registry.log") && [ -n "$port" ]; do
	kill -0 "$registry"
	sleep 0.1
done
here=127.0.0.1:$port/fairway-dev

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

# The identity of release.yml at a tag, as Fulcio writes it into a certificate.
issuer=https://token.actions.githubusercontent.com
workflow=https://github.com/fairway-dev/fairway/.github/workflows/release.yml
export COSIGN_PASSWORD=
authority() { # authority NAME: whom a verifier trusts
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/O=$1" \
		-addext keyUsage=critical,keyCertSign,cRLSign -addext extendedKeyUsage=codeSigning -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
	"$tools/cosign" trusted-root create --fulcio "url=https://fulcio.invalid,certificate-chain=$work/$1.pem" --out "$work/$1.json"
}
identity() { # identity NAME AUTHORITY SUBJECT [ISSUER]: a key and a certificate for it
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj / -keyout "$work/$1.pkcs8" -out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -days 1 -out "$work/$1.pem" -extfile <(
		echo keyUsage=critical,digitalSignature
		echo extendedKeyUsage=codeSigning
		echo "subjectAltName=critical,URI:$3"
		echo "1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:${4:-$issuer}"
	) 2>/dev/null
	cp "$work/$2.json" "$work/$1.trust"
	"$tools/cosign" import-key-pair --key "$work/$1.pkcs8" --output-key-prefix "$work/$1" >/dev/null 2>&1
}
"$tools/cosign" signing-config create --out "$work/no-services.json"
sign() { # sign NAME WHAT: what the workflow does, as somebody
	hack/release/sign.sh "$2" --key "$work/$1.key" --certificate "$work/$1.pem" --signing-config "$work/no-services.json" --trusted-root "$work/$1.trust" > "$work/signing" 2>&1 || { cat "$work/signing" >&2; return 1; }
}
authority authority
identity release authority "$workflow@refs/tags/$version"

step "the chart, and signatures"
pushed=$(hack/release/push-chart.sh "$version" "$here" --plain-http)
sign release "$pushed"
for role in gate prover; do
	sign release "$here/fairway-$role@$(crane digest "$here/fairway-$role:$chart")"
done
sign release dist/SHA256SUMS

step "what docs/release.md has a user do"
mkdir "$work/bin"
cat > "$work/bin/cosign" <<EOT
#!/bin/bash
exec "$tools/cosign" "\$1" --trusted-root "$work/authority.json" --insecure-ignore-tlog --insecure-ignore-sct "\${@:2}"
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
resigned() { # resigned NAME: the sums of what was changed, signed by somebody
	tampered "$1"
	(cd "$work/$1" && rm SHA256SUMS* && sha256sum -- * > SHA256SUMS)
	sign "$1" "$work/$1/SHA256SUMS"
}
tampered byte
refused "a byte of a binary" "fairway-linux-amd64: FAILED" "$work/byte"
(cd "$work/byte" && sha256sum fairway-linux-amd64 >> SHA256SUMS)
refused "a byte of a binary, and its sum" "invalid signature" "$work/byte"

identity fork authority "https://github.com/mallory/fairway/.github/workflows/release.yml@refs/tags/$version"
identity branch authority "$workflow@refs/heads/main"
identity other-workflow authority "https://github.com/fairway-dev/fairway/.github/workflows/ci.yml@refs/tags/$version"
identity earlier authority "$workflow@refs/tags/v0.0.1"
identity other-issuer authority "$workflow@refs/tags/$version" https://accounts.example.com
for name in fork branch other-workflow earlier other-issuer; do
	resigned "$name"
	refused "files that are signed by: $name" "no matching CertificateIdentity found" "$work/$name"
done
authority stranger
identity impostor stranger "$workflow@refs/tags/$version"
resigned impostor
refused "files that are signed by: impostor" "leaf certificate verification failed" "$work/impostor"

for name in fairway-gate fairway-prover charts/fairway; do
	at=$here/$name
	true=$(crane digest "$at:$chart")
	crane append --oci-empty-base -f "$work/gate-amd64.tar" -t "$at:$chart" >/dev/null
	refused "$name: a tag that was moved" "no signatures found" "$PWD/dist"
	sign earlier "$at@$(crane digest "$at:$chart")"
	refused "$name: a tag that was moved to an earlier release" "no matching CertificateIdentity found" "$PWD/dist"
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
echo "the release is rehearsed"
