#!/usr/bin/env bash
# Generate what follows from api/v1alpha1: the deep copies, the CRDs and the reference.
set -euo pipefail
cd "$(dirname "$0")/../.."

tool() { go tool -modfile=hack/tools/go.mod "$@"; }
tool controller-gen object paths=./api/...
tool controller-gen crd paths=./api/... output:crd:dir=config/crd
