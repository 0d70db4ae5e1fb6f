#!/usr/bin/env bash
# Generate into a copy of the working tree and fail on any difference from what is committed, so that
# nothing generated is edited by hand or forgotten. The working tree itself is not touched.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# What git knows or would know: build output and ignored files stay behind.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --null --files-from=- -cf - | tar -xf - -C "$copy"
cp -R "$copy" "$copy.before"
trap 'rm -rf "$copy" "$copy.before"' EXIT

make --no-print-directory -C "$copy" generate
if ! diff -ru "$copy.before" "$copy"; then
	echo "generated files are out of date: run 'make generate' and commit what it writes" >&2
	exit 1
fi
echo "generated files are up to date"
