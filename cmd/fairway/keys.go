package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fairway-dev/fairway/internal/canon"
)

// selfSignedLife is how long a self-signed certificate is valid.
const selfSignedLife = 365 * 24 * time.Hour

// digestKey is the key of object digests, made on first use. Losing it costs a new look at every
// repository and nothing else.
func digestKey(stateDir string) (canon.Key, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return canon.Key{}, fmt.Errorf("making the state directory: %w", err)
	}
	path := filepath.Join(stateDir, "digest.key")
	secret, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, canon.MinKey)
		_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
		err = os.WriteFile(path, secret, 0o600)
	}
	if err != nil {
		return canon.Key{}, fmt.Errorf("reading the digest key: %w", err)
	}
	return canon.NewKey(secret)
}

// selfSign writes ca.crt, tls.crt and tls.key for an authority of one certificate. The key of the
// authority is thrown away: whoever trusts ca.crt trusts this certificate and no other.
func selfSign(dir string, names []string, now time.Time) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "fairway self-signed authority"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(selfSignedLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "fairway"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return fmt.Errorf("making the authority: %w", err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("making the certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the certificate's directory: %w", err)
	}
	return errors.Join(
		writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", caDER),
		writePEM(filepath.Join(dir, "tls.crt"), "CERTIFICATE", leafDER),
		writePEM(filepath.Join(dir, "tls.key"), "PRIVATE KEY", keyDER),
	)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return big.NewInt(1) // never: crypto/rand ends the process instead
	}
	return n
}
