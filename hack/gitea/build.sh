#!/usr/bin/env bash
# Build Gitea, a real forge for the tests, from the module proxy into a cache, and print the folder that
# holds the binary and the files it serves. A build that is there already is reused.
#
# Its published module cannot be built as it is: it needs an SDK that stands under its old path only, and
# migrations from other forges need modules that not every proxy holds. So the migrations are left out,
# which no test asks for. Nothing of Gitea is kept in this repository.
set -euo pipefail
cd "$(dirname "$0")"

version=$(<version)
sum=$(<sum)
out=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/gitea-$version
mkdir -p "$out"

# Test binaries run side by side: one builds, the others wait and find it built.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi
if [ ! -x "$out/gitea" ]; then
	echo "building gitea $version from source; the first time takes some minutes" >&2
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	cd "$scratch" # outside of any module
	module=$(go mod download -json "code.gitea.io/gitea@$version")
	field() { sed -n "s/^\t\"$1\": \"\(.*\)\",\?$/\1/p" <<<"$module"; }
	if [ "$(field Sum)" != "$sum" ]; then
		echo "gitea $version has the sum $(field Sum), want $sum" >&2
		exit 1
	fi
	rm -rf "$out/src"
	cp -r "$(field Dir)" "$out/src"
	chmod -R u+w "$out/src"
	cd "$out/src"
	rm services/migrations/{gitea_downloader,gitea_downloader_test,gitlab,gitlab_test}.go
	go mod edit -droprequire gitea.dev/sdk -droprequire gitlab.com/gitlab-org/api/client-go/v2 \
		-replace gitea.dev/actions-proto-go=code.gitea.io/actions-proto-go@v0.6.0
	CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' go build -trimpath \
		-ldflags "-s -w -X main.Version=${version#v}" -o "$out/gitea.$$" .
	mv "$out/gitea.$$" "$out/gitea" # a half-written binary is never seen under its name
fi
echo "$out"
