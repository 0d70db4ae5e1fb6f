#!/usr/bin/env bash
# Make an authority and a certificate for an address: certificate.sh ADDRESS FOLDER. The prover's image has to
# know ca.crt, as it has to know a company's.
set -euo pipefail
cd "$2"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=fleet-ca -keyout ca.key -out ca.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fleet -keyout tls.key -out tls.csr
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 1 -extfile <(echo "subjectAltName=IP:$1") -out tls.crt
