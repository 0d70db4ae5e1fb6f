#!/usr/bin/env bash
# Run the commands of docs/install.md on the cluster of KUBECONFIG: page.sh ADDRESS CERTIFICATES [FLAGS of helm
# install]. The repository that the page asks for is on this machine, where pods reach it at ADDRESS; CERTIFICATES
# is what certificate.sh has made for it. BEFORE_UNINSTALL is a program to run, with FLEET, before the page takes
# all away.
set -euo pipefail
cd "$(dirname "$0")/../.."

address=$1 certificates=$2
shift 2
work=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

git init -q --bare "$work/fleet.git"
git -C "$work/fleet.git" config http.receivepack true
go build -o "$work/gitserver" ./e2e/kind/gitserver
"$work/gitserver" -listen "$address:9418" -certificate "$certificates/tls.crt" -key "$certificates/tls.key" "$work" &
server=$!
# The variable wins over the configuration, where a machine sets it; commands of fairway go by the configuration.
export GIT_CONFIG_GLOBAL=$work/gitconfig GIT_SSL_CAINFO=$certificates/ca.crt
git config --global http.sslCAInfo "$certificates/ca.crt"

make --no-print-directory build
mkdir "$work/bin" "$work/page"
ln -s "$PWD/bin/fairway" "$work/bin/fairway"
command -v kubectl >/dev/null || ln -s "$(hack/controlplane/build.sh)/kubectl" "$work/bin/kubectl"
helm=$(hack/helm/build.sh)
flags=(--set prover.interval=1s --set 'networkPolicy.gitEgress[0].ports[0].port=9418' "$@")
cat > "$work/bin/helm" <<EOT
#!/bin/bash
args=("\${@/#oci:*/$PWD/charts/fairway}")
if [ "\$1" = install ]; then args+=($(printf '%q ' "${flags[@]}")); fi
exec "$helm" "\${args[@]}"
EOT
chmod +x "$work/bin/helm"
sed -n '/^```bash$/,/^```$/{/^```/d;p}' docs/install.md > "$work/page.sh"
if [ -n "${BEFORE_UNINSTALL:-}" ]; then
	grep -q '^helm uninstall' "$work/page.sh"
	sed -i '/^helm uninstall/i "$BEFORE_UNINSTALL"' "$work/page.sh"
fi
cd "$work/page"
FLEET="https://$address:9418/fleet.git" PATH="$work/bin:$PATH" bash -euxo pipefail ../page.sh
echo "the story of docs/install.md is true"
