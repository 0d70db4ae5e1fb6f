#!/usr/bin/env bash
# The story of docs/install.md on a real cluster: build the images, make a kind cluster, install cert-manager
# and the chart, and run the page's commands. It needs a container engine and a network; where nothing can
# be pulled, see kubelet.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

cluster=${KIND_CLUSTER:-fairway}
kind=(go run sigs.k8s.io/kind@v0.33.0)
work=$(mktemp -d)
cleanup() {
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
address=$(docker network inspect kind --format '{{range .IPAM.Config}}{{.Gateway}} {{end}}' | tr ' ' '\n' | grep -m1 -F .)
# The prover fetches from this machine, whose authority nobody knows.
e2e/kind/certificate.sh "$address" "$work"
docker build --quiet --tag "ghcr.io/fairway-dev/fairway-prover:$version" --file - "$work" <<EOF
FROM ghcr.io/fairway-dev/fairway-prover:$version
USER 0
COPY ca.crt /usr/local/share/ca-certificates/fleet.crt
RUN update-ca-certificates
USER 65532:65532
EOF
"${kind[@]}" load docker-image --name "$cluster" "ghcr.io/fairway-dev/fairway-gate:$version" "ghcr.io/fairway-dev/fairway-prover:$version"

kubectl apply -f https://github.com/cert-manager/cert-manager/releases/download/v1.21.2/cert-manager.yaml
kubectl -n cert-manager wait --for=condition=Available --timeout=180s deployment --all

e2e/kind/page.sh "$address" "$work"
