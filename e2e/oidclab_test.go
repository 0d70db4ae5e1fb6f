package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// issuer gives tokens to pipelines, as a forge does: it serves its discovery document and its key over HTTPS on
// loopback.
type issuer struct {
	t      *testing.T
	key    *rsa.PrivateKey
	server *httptest.Server
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	mux := http.NewServeMux()
	serve := func(path string, answer func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(answer()); err != nil {
				t.Errorf("answering %s: %v", path, err)
			}
		})
	}
	serve("/.well-known/openid-configuration", func() any {
		return map[string]any{"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
	})
	serve("/keys", func() any {
		return map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig",
			"n": part(key.N.Bytes()), "e": part(big.NewInt(int64(key.E)).Bytes()),
		}}}
	})
	i.server = httptest.NewTLSServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

// part is one of a token, as RFC 7515 writes it.
func part(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }

// token is one that the issuer has signed, of claims beside those of every token.
func (i *issuer) token(claims map[string]string) string {
	i.t.Helper()
	all := map[string]any{"iss": i.server.URL, "aud": "fairway", "sub": "pipeline", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	var parts []string
	for _, content := range []any{map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"}, all} {
		raw, err := json.Marshal(content)
		if err != nil {
			i.t.Fatal(err)
		}
		parts = append(parts, part(raw))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, ".")))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	return strings.Join(append(parts, part(signature)), ".")
}

// configuration writes the AuthenticationConfiguration of docs/engines/ci.md, with this issuer in the place of
// the one there, and returns its path.
func (i *issuer) configuration() string {
	i.t.Helper()
	var file map[string]any
	for _, text := range blocks(i.t, "docs/engines/ci.md", "yaml") {
		if strings.Contains(text, "kind: AuthenticationConfiguration") {
			if err := yaml.Unmarshal([]byte(text), &file); err != nil {
				i.t.Fatal(err)
			}
		}
	}
	authenticators, _ := file["jwt"].([]any)
	if len(authenticators) != 1 {
		i.t.Fatalf("docs/engines/ci.md has %d authenticators", len(authenticators))
	}
	at := authenticators[0].(map[string]any)["issuer"].(map[string]any)
	at["url"] = i.server.URL
	at["certificateAuthority"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
	raw, err := yaml.Marshal(file)
	if err != nil {
		i.t.Fatal(fmt.Errorf("writing the configuration: %w", err))
	}
	path := filepath.Join(i.t.TempDir(), "authentication.yaml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}
