#!/usr/bin/env bash
# The story of docs/install.md on a real cluster: build the images, make a kind cluster, install cert-manager
# and the chart, and run the page's commands. It needs a container engine and a network; where nothing can
# be pulled, see offline.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

cluster=${KIND_CLUSTER:-fairway}
kind=(go run sigs.k8s.io/kind@v0.33.0)
work=$(mktemp -d)
daemon=
cleanup() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	[ -n "${KEEP:-}" ] || "${kind[@]}" delete cluster --name "$cluster"
	rm -rf "$work"
}
trap cleanup EXIT

version=$(sed -n 's/^version: //p' charts/fairway/Chart.yaml)
for role in gate prover; do
	docker build --quiet --file "hack/image/$role.Dockerfile" --build-arg "VERSION=v$version" \
		--tag "ghcr.io/fairway-dev/fairway-$role:$version" .
done
"${kind[@]}" create cluster --name "$cluster" --wait 120s
"${kind[@]}" load docker-image --name "$cluster" "ghcr.io/fairway-dev/fairway-gate:$version" "ghcr.io/fairway-dev/fairway-prover:$version"

kubectl apply -f https://github.com/cert-manager/cert-manager/releases/download/v1.21.2/cert-manager.yaml
kubectl -n cert-manager wait --for=condition=Available --timeout=180s deployment --all

# The repository that the page asks for is on this machine, where pods reach it through kind's bridge.
address=$(docker network inspect kind --format '{{range .IPAM.Config}}{{.Gateway}} {{end}}' | tr ' ' '\n' | grep -m1 -F .)
git init -q --bare "$work/fleet.git"
git daemon --base-path="$work" --export-all --enable=receive-pack --listen="$address" --port=9418 &
daemon=$!

make --no-print-directory build
mkdir "$work/bin" "$work/page"
ln -s "$PWD/bin/fairway" "$work/bin/fairway"
helm=$(hack/helm/build.sh)
chart=$PWD/charts/fairway
cat > "$work/bin/helm" <<EOF
#!/bin/bash
args=("\${@/#oci:*/$chart}")
if [ "\$1" = install ]; then args+=(--set prover.interval=1s --set 'networkPolicy.gitEgress[0].ports[0].port=9418'); fi
exec "$helm" "\${args[@]}"
EOF
chmod +x "$work/bin/helm"
sed -n '/^```bash$/,/^```$/{/^```/d;p}' docs/install.md > "$work/page.sh"
cd "$work/page"
FLEET="git://$address/fleet.git" PATH="$work/bin:$PATH" bash -euxo pipefail ../page.sh
echo "the story of docs/install.md is true"
