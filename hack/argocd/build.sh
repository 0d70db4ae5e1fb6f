#!/usr/bin/env bash
# Build the part of Argo CD that the tests run into a cache, put the definitions of its kinds beside it and
# what it renders with below it in bin, and print the folder. A build that is there already is reused, so this is cheap to call.
set -euo pipefail
cd "$(dirname "$0")"

version=$(go list -m -f '{{.Version}}' github.com/argoproj/argo-cd/v3)
main=$(cat main.go tools/go.mod | sha256sum | cut -c1-12) # another program of ours is another build
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/argocd-$version-$main
mkdir -p "$out"

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/argocd" ]; then
	echo "building Argo CD $version from source; the first time takes some minutes" >&2
	export CGO_ENABLED=0
	go build -trimpath -ldflags "-s -w" -o "$out/argocd.$$" .
	(cd tools && go build -trimpath -ldflags "-s -w" -o "$out/bin/kustomize" sigs.k8s.io/kustomize/kustomize/v5 &&
		go build -trimpath -ldflags "-s -w" -o "$out/bin/helm" helm.sh/helm/v3/cmd/helm)
	# The definitions come from the same module as the program, so the two cannot drift apart.
	for kind in application applicationset appproject; do
		install -m 0644 "$(go list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3)/manifests/crds/$kind-crd.yaml" "$out/$kind.yaml"
	done
	mv "$out/argocd.$$" "$out/argocd" # a half-written binary is never seen under its name
fi
echo "$out"
