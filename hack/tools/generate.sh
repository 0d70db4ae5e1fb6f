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
