package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// anAuthority is the certificate of an authority, in PEM, and in a pool of its own.
func anAuthority(t *testing.T, name string) ([]byte, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return text, pool
}

// TestT31AuthoritiesAreReadAgain: a file that was replaced is in force at the next look, also where a
// volume exchanges a link; one that is gone or holds no certificate leaves those before in force, and
// never nobody or everybody.
func TestT31AuthoritiesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ca.crt")
	first, firstPool := anAuthority(t, "first")
	second, secondPool := anAuthority(t, "second")
	third, thirdPool := anAuthority(t, "third")
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newAuthorities(path, logr.Discard()); err == nil {
		t.Error("a file that is not there was read")
	}
	write(path, []byte("no certificate"))
	if _, err := newAuthorities(path, logr.Discard()); err == nil {
		t.Error("no certificate was taken for one")
	}
	write(path, first)
	a, err := newAuthorities(path, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
		want *x509.CertPool
	}{
		{"as at the start", func() {}, firstPool},
		{"overwritten", func() { write(path, append(second, '\n')) }, secondPool},
		{"emptied", func() { write(path, nil) }, secondPool},
		{"gone", func() { _ = os.Remove(path) }, secondPool},
		{"a link", func() {
			write(filepath.Join(dir, "new"), third)
			if err := os.Symlink(filepath.Join(dir, "new"), path); err != nil {
				t.Fatal(err)
			}
		}, thirdPool},
		{"a link to another", func() {
			write(filepath.Join(dir, "newer"), first)
			_ = os.Remove(path)
			if err := os.Symlink(filepath.Join(dir, "newer"), path); err != nil {
				t.Fatal(err)
			}
		}, firstPool},
	} {
		step.do()
		a.looked = time.Time{} // the next look is due
		if !a.current().Equal(step.want) {
			t.Errorf("%s: other authorities are in force", step.name)
		}
	}
	write(filepath.Join(dir, "newer"), second)
	if a.looked = time.Now().Add(time.Minute); !a.current().Equal(firstPool) {
		t.Error("the file is read at every handshake")
	}
}
