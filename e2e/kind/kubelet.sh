#!/usr/bin/env bash
# The story of docs/install.md where no image can be pulled: the chart's pods on a real kubelet, which is built
# from source. The images are made here, of the binary alone and of Debian's packages; they hold what
# hack/image says. Network policies are enforced, and pods try whom they reach (T-31). It needs root, containerd, runc,
# iptables, ipset, debootstrap, and a mirror of Debian.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version: //p' charts/fairway/Chart.yaml)
hack/controlplane/build.sh >/dev/null
hack/kubelet/build.sh >/dev/null
hack/kuberouter/build.sh >/dev/null
make --no-print-directory build

image() { # image NAME ROOT ENTRYPOINT: an archive of one layer, as `docker save` writes them
	local at
	at=$work/$(basename "${1%:*}")
	mkdir "$at"
	tar -C "$2" --numeric-owner -cf "$at/layer.tar" .
	cat > "$at/config.json" <<-JSON
		{"architecture": "$(go env GOARCH)", "os": "linux",
		 "config": {"User": "65532:65532", "Entrypoint": ["$3"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
		 "rootfs": {"type": "layers", "diff_ids": ["sha256:$(sha256sum "$at/layer.tar" | cut -d ' ' -f 1)"]}}
	JSON
	echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"$1\"], \"Layers\": [\"layer.tar\"]}]" > "$at/manifest.json"
	tar -C "$at" -cf "$at.tar" manifest.json config.json layer.tar
	rm -r "$at"
}
mkdir "$work/gate-root" "$work/pause-root"
CGO_ENABLED=0 go build -ldflags "-s -w" -o "$work/pause-root/pause" ./e2e/node/pause
cp bin/fairway "$work/gate-root/fairway"
# As the prover's Dockerfile has it. The cache keeps it, since it takes minutes.
debian=${FAIRWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairway}/debian-trixie-git
if [ ! -d "$debian" ]; then
	debootstrap --variant=minbase --include=git,openssh-client,ca-certificates trixie "$debian.$$"
	rm -rf "$debian.$$"/var/cache/apt/archives/* "$debian.$$"/var/lib/apt/lists/* "$debian.$$"/dev/*
	mv "$debian.$$" "$debian"
fi
cp -a "$debian" "$work/prover-root"
echo 'fairway:x:65532:65532::/tmp:/usr/sbin/nologin' >> "$work/prover-root/etc/passwd"
install bin/fairway "$work/prover-root/usr/local/bin/fairway"
# The prover fetches from this machine, whose authority nobody knows.
mkdir "$work/certificates"
e2e/kind/certificate.sh 10.244.0.1 "$work/certificates"
cat "$work/certificates/ca.crt" >> "$work/prover-root/etc/ssl/certs/ca-certificates.crt"
image localhost/pause:offline "$work/pause-root" /pause
image "ghcr.io/fairway-dev/fairway-gate:$version" "$work/gate-root" /fairway
image "ghcr.io/fairway-dev/fairway-prover:$version" "$work/prover-root" /usr/local/bin/fairway

# Nobody provisions volumes: the prover's is a folder.
mkdir "$work/state"
chown 65532:65532 "$work/state"
chmod 0711 "$work"
cat > "$work/volume.yaml" <<EOF
apiVersion: v1
kind: PersistentVolume
metadata: {name: state}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: $work/state}
EOF
go build -o "$work/node" ./e2e/node
go build -o "$work/reach" ./e2e/kind/reach
export BEFORE_UNINSTALL=$work/reach
kubectl=$(hack/controlplane/build.sh)/kubectl
"$work/node" -image "$work/pause.tar" -image "$work/fairway-gate.tar" -image "$work/fairway-prover.tar" -- \
	bash -c '"$1" apply -f "$2/volume.yaml" && exec e2e/kind/page.sh 10.244.0.1 "$2/certificates" --set tls.mode=builtIn --set "networkPolicy.apiServer[0].ipBlock.cidr=10.244.0.1/32"' bash "$kubectl" "$work"
