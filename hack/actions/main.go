// Command actions plays the token service of GitHub Actions for the rehearsal of a release: it hands out tokens
// as a job with `id-token: write` gets them, and answers for token.actions.githubusercontent.com, as a proxy, to
// Fulcio, which asks there for the key that they are signed with. It trusts whoever asks, so it listens on
// loopback alone.
//
//	actions FOLDER
//
// prints its address, and writes ca.pem into the folder: what Fulcio has to trust beside HTTPS_PROXY.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// host is the issuer's, whose identity tokens Fulcio knows.
const host = "token.actions.githubusercontent.com"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "actions:", err)
		os.Exit(1)
	}
}

// run serves until it is ended.
func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want the folder for ca.pem, got %q", args)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	certificate, err := certify(filepath.Join(args[0], "ca.pem"))
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// What is tunnelled to the issuer ends at a listener of its own, which speaks TLS.
	secret, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	fmt.Println(plain.Addr())
	s := &service{key: key, issuer: secret.Addr().String()}
	ended := make(chan error, 2)
	go func() { ended <- serve(secret, s.discovery()) }()
	go func() { ended <- serve(plain, http.HandlerFunc(s.answer)) }()
	return <-ended
}

// serve answers on a listener.
func serve(on net.Listener, with http.Handler) error {
	server := &http.Server{Handler: with, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(on)
}

// certify makes a certificate for the host, which is its own authority, and writes that to a file.
func certify(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o600)
}

// service hands out tokens.
type service struct {
	key    *rsa.PrivateKey
	issuer string // where the issuer is asked for its key
}

// discovery answers as the issuer does: where its keys are, and which.
func (s *service) discovery() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": "https://" + host, "jwks_uri": "https://" + host + "/.well-known/jwks",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /.well-known/jwks", func(w http.ResponseWriter, _ *http.Request) {
		exponent := big.NewInt(int64(s.key.E)).Bytes()
		reply(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rehearsal", "n": encode(s.key.N.Bytes()), "e": encode(exponent),
		}}})
	})
	return mux
}

// answer is a tunnel to the issuer, or a token of the job that the query describes.
func (s *service) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		token, err := s.token(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(w, map[string]any{"value": token})
		return
	}
	if r.Host != host+":443" {
		http.Error(w, "this is the proxy to "+host+" alone", http.StatusForbidden)
		return
	}
	if err := tunnel(w, s.issuer); err != nil {
		fmt.Fprintln(os.Stderr, "actions: a tunnel to the issuer:", err)
	}
}

// token is what GitHub says of a job: a workflow of a repository, at a ref.
func (s *service) token(job url.Values) (string, error) {
	repository, ref := job.Get("repository"), job.Get("ref")
	workflow := repository + "/.github/workflows/" + job.Get("workflow") + "@" + ref
	now := time.Now()
	commit := "0123456789abcdef0123456789abcdef01234567"
	claims := map[string]any{
		"iss": "https://" + host, "aud": job.Get("audience"), "sub": "repo:" + repository + ":environment:release",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"repository": repository, "repository_id": "1", "repository_owner": filepath.Dir(repository), "repository_owner_id": "2",
		"repository_visibility": "public", "ref": ref, "sha": commit, "event_name": "push", "environment": "release",
		"workflow": "release", "workflow_ref": workflow, "workflow_sha": commit, "job_workflow_ref": workflow, "job_workflow_sha": commit,
		"runner_environment": "github-hosted", "run_id": "3", "run_attempt": "1",
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"rehearsal"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return signed + "." + encode(signature), nil
}

// encode is base64 as tokens have it.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// reply writes JSON.
func reply(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(what); err != nil {
		fmt.Fprintln(os.Stderr, "actions: answering:", err)
	}
}
