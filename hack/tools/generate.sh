#!/usr/bin/env bash
# Generate all that follows from api/v1alpha1: deep copies, CRDs and the reference. Versions are
# pinned by the go.mod beside this file, so the same types give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."

tool() { go tool -modfile=hack/tools/go.mod "$@"; }

tool controller-gen object paths=./api/...
tool controller-gen crd paths=./api/... output:crd:dir=config/crd
tool crd-ref-docs --source-path=api --config=hack/tools/crd-ref-docs.yaml \
	--renderer=markdown --output-path=docs/reference/api.md --log-level=ERROR

# A chart cannot reach out of its folder, so it carries copies of what config says once.
copy() { # copy FOLDER FILE...
	mkdir -p "charts/fairway/files/$1"
	for file in "${@:2}"; do
		if [ -e "$file" ]; then cp "$file" "charts/fairway/files/$1/"; fi
	done
}
copy crds config/crd/*.yaml
copy policies config/policies/*.yaml
copy rbac config/rbac/{gate,prover,audit,people}.yaml
