# Sourced by rehearse.sh: whom a release trusts beyond this project, on loopback. GitHub's token service is played
# (hack/actions); Fulcio, Rekor and the timestamping authority are themselves (hack/sigstore), and Fulcio certifies by
# its own settings. Each is known by the names of its log in $work.
# shellcheck shell=bash disable=SC2154

free() { # a port on which nobody listens
	local port
	while port=$((20000 + RANDOM % 12000)) && (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}
background() { # background NAME COMMAND...: a process that ends with the rehearsal
	: > "$work/$1.log"
	"${@:2}" > "$work/$1.log" 2>&1 &
	running+=($!)
}
answers() { # answers NAME URL: wait until a process does
	until curl -fs --noproxy '*' "$2" > "$work/$1.answer"; do
		kill -0 "${running[@]}" || { cat "$work/$1.log" >&2; return 1; }
		sleep 0.2
	done
}
since=start-time=$(date -u -d yesterday +%FT%TZ)

# fulcio NAME: an authority, whose certificate goes to NAME.pem, and where it is to $fulcio
fulcio() {
	local port
	port=$(free)
	fulcio=http://127.0.0.1:$port
	{
		sed '/^oidc-issuers:/q' "$sigstore/fulcio.yaml"
		printf '  %s:\n    issuer-url: %s\n    client-id: sigstore\n    type: ci-provider\n    ci-provider: github-workflow\n' "$issuer" "$issuer"
		sed -n '/^ci-issuer-metadata:/,$p' "$sigstore/fulcio.yaml"
	} > "$work/fulcio.yaml"
	background "$1" env HTTPS_PROXY="http://$actions" SSL_CERT_FILE="$work/ca.pem" "$sigstore/fulcio" serve --ca ephemeralca --ct-log-url "" \
		--config-path "$work/fulcio.yaml" --host 127.0.0.1 --port "$port" --grpc-host 127.0.0.1 --grpc-port "$(free)" \
		--metrics-port "$(free)" --legacy-unix-domain-socket "$work/$1.sock"
	answers "$1" "$fulcio/api/v1/rootCert"
	mv "$work/$1.answer" "$work/$1.pem"
}

# rekor: a log, whose key goes to rekor.pub, and where it is to $rekor
rekor() {
	local port
	port=$(free)
	rekor=http://127.0.0.1:$port
	openssl genpkey -algorithm ed25519 -out "$work/rekor.key"
	openssl pkey -in "$work/rekor.key" -pubout -out "$work/rekor.pub"
	background rekor "$sigstore/rekor" serve --storage-dir "$work/log" --signer-filepath "$work/rekor.key" --hostname 127.0.0.1 \
		--http-port "$port" --grpc-port "$(free)" --http-metrics-port "$(free)" --checkpoint-interval 500ms --batch-max-age 100ms
	answers rekor "$rekor/healthz"
}

# timestamps: an authority for times, whose certificates go to timestamps.pem, and where it is to $timestamps
timestamps() {
	local port
	port=$(free)
	timestamps=http://127.0.0.1:$port/api/v1/timestamp
	background timestamps "$sigstore/timestamps" serve --host 127.0.0.1 --port "$port" --timestamp-signer memory --disable-ntp-monitoring
	answers timestamps "$timestamps/certchain"
	mv "$work/timestamps.answer" "$work/timestamps.pem"
}

# world NAME FULCIO CERTIFICATE [unlogged]: whom a signer asks (NAME.services) and a verifier trusts (NAME.trust)
world() {
	local common="$since,operator=rehearsal" log=(--rekor "url=$rekor,api-version=2,$since,operator=rehearsal" --rekor-config ANY)
	[ -z "${4:-}" ] || log=()
	"$tools/cosign" signing-config create --out "$work/$1.services" --fulcio "url=$2,api-version=1,$common" \
		"${log[@]}" --tsa "url=$timestamps,api-version=1,$common" --tsa-config ANY
	"$tools/cosign" trusted-root create --out "$work/$1.trust" --fulcio "url=$2,certificate-chain=$work/$3.pem" \
		--rekor "url=$rekor,public-key=$work/rekor.pub,$since,origin=127.0.0.1" --tsa "url=$timestamps,certificate-chain=$work/timestamps.pem"
}
