#!/usr/bin/env bash
# Deliver the commit that is checked out: render, stamp, apply. It needs kubectl and fairway on the path,
# and a kubeconfig of the user, or with the token, that the binding's source lists under via.ci.
#
#   deliver.sh REPOSITORY SOURCE PATH FIELD-MANAGER
#
# REPOSITORY is the name of the Repository, SOURCE that of the source in the namespace's TierBinding, PATH
# its path, and FIELD-MANAGER the one that it names. A refusal ends the job with what is missing and who
# can give it; run the job again once it is given, the commit does not have to change.
set -euo pipefail
repository=$1 source=$2 path=$3 manager=$4

render() {
	if [ -e "$path/kustomization.yaml" ]; then
		kubectl kustomize --load-restrictor LoadRestrictionsNone "$path"
		return
	fi
	find "$path" -mindepth 1 -name '.*' -prune -o -type f \( -name '*.yaml' -o -name '*.yml' -o -name '*.json' \) -print0 | sort -z |
		while IFS= read -r -d '' file; do
			echo '---'
			cat "$file"
			echo
		done
}

render | fairway stamp - --repository "$repository" --source "$source" |
	kubectl apply --server-side --force-conflicts --field-manager "$manager" -f -
