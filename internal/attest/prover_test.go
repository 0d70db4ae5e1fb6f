package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fairway-dev/fairway/internal/attest"
)

// TestRuling02ProverSigns: only the key that signed verifies, and only over those bytes.
func TestRuling02ProverSigns(t *testing.T) {
	key, err := attest.NewProverKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := attest.NewProverKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(`{"commit":"1"}`)
	id, sig := key.Sign(payload)
	if id != key.ID() || id != attest.ProverKeyID(key.Public()) || len(id) != 64 {
		t.Errorf("key id %q, want %q", id, key.ID())
	}
	if !attest.VerifyProver(key.Public(), payload, sig) {
		t.Error("its own signature does not verify")
	}
	for name, verifies := range map[string]bool{
		"another key":     attest.VerifyProver(other.Public(), payload, sig),
		"another payload": attest.VerifyProver(key.Public(), append(payload, ' '), sig),
		"no key":          attest.VerifyProver(nil, payload, sig),
		"short key":       attest.VerifyProver(key.Public()[:31], payload, sig),
		"no signature":    attest.VerifyProver(key.Public(), payload, nil),
		"bare signature":  ed25519.Verify(key.Public(), payload, sig),
	} {
		if verifies {
			t.Errorf("%s verifies", name)
		}
	}
	var none attest.ProverKey
	if id, sig := none.Sign(payload); id != "" || sig != nil || none.Public() != nil || none.ID() != "" {
		t.Error("a key that is none signs")
	}
	if _, err := none.PEM(); err == nil {
		t.Error("a key that is none is written")
	}
	if _, err := attest.NewProverKey(iotest.ErrReader(errors.New("dry"))); err != nil && !strings.Contains(err.Error(), "dry") {
		t.Error(err)
	}
}

// TestProverKeyFiles: what is written is read, and nothing else is.
func TestProverKeyFiles(t *testing.T) {
	key, err := attest.NewProverKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	public, err := attest.ProverPublicPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	again, err := attest.ParseProverKey(private)
	if err != nil || again.ID() != key.ID() {
		t.Errorf("read %v, %v", again, err)
	}
	pub, err := attest.ParseProverPublic(public)
	if err != nil || !pub.Equal(key.Public()) {
		t.Errorf("read %v, %v", pub, err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(weak.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "RSA": block("PRIVATE KEY", pkcs8), "RSA public": block("PUBLIC KEY", pkix),
		"two": append(append([]byte{}, private...), private...), "two public": append(append([]byte{}, public...), public...),
		"junk": block("PRIVATE KEY", []byte("x")), "junk public": block("PUBLIC KEY", []byte("x")), "cut": private[:40],
	} {
		if _, err := attest.ParseProverKey(file); err == nil {
			t.Errorf("%s is read as a private key", name)
		}
		if _, err := attest.ParseProverPublic(file); err == nil {
			t.Errorf("%s is read as a public key", name)
		}
	}
	if _, err := attest.ParseProverPublic(private); err == nil {
		t.Error("a private key is read as a public one")
	}
}

// TestT38ProverKeyTellsNothing: no verb of fmt and no JSON shows the key.
func TestT38ProverKeyTellsNothing(t *testing.T) {
	seed := bytes.Repeat([]byte{0xab, 0xcd, 0x12, 0x34}, 16)
	key, err := attest.NewProverKey(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	outer := struct{ inner attest.ProverKey }{key}
	secrets := []string{hex.EncodeToString(seed[:4]), "171 205 18 52", "0xab, 0xcd", string(seed[:4])}
	for _, value := range []any{key, &key, outer, &outer, []any{outer}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
			got := fmt.Sprintf(verb, value)
			for _, s := range secrets {
				if strings.Contains(strings.ToLower(got), s) {
					t.Errorf("%s shows the key: %s", verb, got)
				}
			}
		}
	}
	if text, err := json.Marshal(key); err == nil && len(text) > 2 {
		t.Errorf("JSON shows %s", text)
	}
	if key.String() != "prover key "+key.ID() {
		t.Errorf("it is named %q", key)
	}
}
