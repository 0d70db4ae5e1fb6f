// Package authority makes and rotates the serving certificate of gates where an install has nobody else to
// do so, and says whether those who call will accept one.
//
// An authority announces its successor before that signs anything: the successor stands in the bundle
// until every caller is known to have it, and the one before stays in the bundle to its end. So neither a
// caller that is late nor a gate that still serves the certificate before is refused. Rotate is a pure
// step from what is there to what should be there; whoever stores the result may be cut off at any point
// and begin again.
//
// It refuses to sign for anything but serving, and to sign with an authority that is not in the bundle
// that callers have.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Pair is a certificate and its key, in PEM. The zero value is none.
type Pair struct{ Certificate, Key []byte }

// State is everything that is kept from one step to the next.
type State struct {
	Signer      Pair      // signs
	Next        Pair      // announced, and signs nothing yet
	AnnouncedAt time.Time // since when callers are known to have Next in their bundle; zero: they do not
	Bundle      []byte    // PEM of the authorities that callers should accept
	Serving     Pair
}

// Settings say what is made.
type Settings struct {
	Host      string        // name or address under which gates are called
	Serving   time.Duration // life of a serving certificate; it is renewed after two thirds
	Authority time.Duration // life of an authority; its successor is announced after two thirds
	Settle    time.Duration // from when callers have a new authority to when it signs
}

// backdated is how long before its making a certificate begins, for clocks that are behind.
const backdated = time.Hour

// Rotate is the next state. published are the bundles that callers have; without any there is nobody who
// could be refused.
func Rotate(s State, published [][]byte, now time.Time, set Settings) (State, error) {
	signer, err := parse(s.Signer)
	if err != nil || !now.Before(signer.certificate.NotAfter) {
		if s.Signer, err = newAuthority(now, set); err != nil {
			return State{}, err
		}
		s.Next, s.AnnouncedAt, s.Serving = Pair{}, time.Time{}, Pair{}
		if signer, err = parse(s.Signer); err != nil {
			return State{}, err
		}
	}
	if len(s.Next.Certificate) == 0 && spent(signer.certificate, now) {
		if s.Next, err = newAuthority(now, set); err != nil {
			return State{}, err
		}
		s.AnnouncedAt = time.Time{}
	}
	s.Bundle = bundle(s.Bundle, now, s.Signer.Certificate, s.Next.Certificate)
	if s, signer, err = promote(s, signer, published, now, set); err != nil {
		return State{}, err
	}
	if !known(signer.certificate, published) && len(s.Serving.Certificate) > 0 {
		return s, nil // callers must have it first
	}
	if serving, err := parse(s.Serving); err != nil || spent(serving.certificate, now) || !good(serving.certificate, signer.certificate, set.Host, now) {
		if s.Serving, err = signer.sign(now, set); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// promote makes the successor the signer, once callers have had it for long enough.
func promote(s State, signer held, published [][]byte, now time.Time, set Settings) (State, held, error) {
	if len(s.Next.Certificate) == 0 {
		return s, signer, nil
	}
	next, err := parse(s.Next)
	if err != nil {
		return State{}, held{}, err
	}
	switch {
	case !known(next.certificate, published):
		s.AnnouncedAt = time.Time{}
	case s.AnnouncedAt.IsZero():
		s.AnnouncedAt = now
	}
	if s.AnnouncedAt.IsZero() || now.Before(s.AnnouncedAt.Add(set.Settle)) {
		return s, signer, nil
	}
	s.Signer, s.Next, s.AnnouncedAt, s.Serving = s.Next, Pair{}, time.Time{}, Pair{}
	return s, next, nil
}

// spent reports whether two thirds of a certificate's life have passed.
func spent(c *x509.Certificate, now time.Time) bool {
	begun := c.NotBefore.Add(backdated)
	return !now.Before(begun.Add(c.NotAfter.Sub(begun) * 2 / 3))
}

// good reports whether a serving certificate is for a host and of a signer.
func good(c, signer *x509.Certificate, host string, now time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(signer)
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
	return err == nil
}

// known reports whether every bundle holds a certificate.
func known(c *x509.Certificate, bundles [][]byte) bool {
	for _, b := range bundles {
		if !bytes.Contains(b, bytes.TrimSpace(encode("CERTIFICATE", c.Raw))) {
			return false
		}
	}
	return true
}

// bundle is what callers should accept: what they do already and has not ended, and the newer ones.
func bundle(before []byte, now time.Time, newer ...[]byte) []byte {
	var out []byte
	for _, text := range append([][]byte{before}, newer...) {
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			one := encode("CERTIFICATE", block.Bytes)
			if err == nil && now.Before(c.NotAfter) && !bytes.Contains(out, one) {
				out = append(out, one...)
			}
		}
	}
	return out
}

// Verify says why whoever has a bundle would not accept a chain (leaf first, PEM) for a host; nil: they do.
func Verify(chain, bundle []byte, host string, now time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return errors.New("the bundle holds no authority")
	}
	block, rest := pem.Decode(chain)
	if block == nil {
		return errors.New("there is no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	between.AppendCertsFromPEM(rest)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host, CurrentTime: now}); err != nil {
		return fmt.Errorf("verifying the certificate: %w", err)
	}
	return nil
}

// held is a pair that was read.
type held struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func parse(p Pair) (held, error) {
	block, _ := pem.Decode(p.Certificate)
	keyBlock, _ := pem.Decode(p.Key)
	if block == nil || keyBlock == nil {
		return held{}, errors.New("reading a certificate: there is none")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return held{}, fmt.Errorf("reading a certificate: %w", err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return held{}, errors.New("reading the key of a certificate: it is no EC key") // and nothing of it is shown
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return held{}, errors.New("reading a certificate: the key is another's")
	}
	return held{certificate, key}, nil
}

func newAuthority(now time.Time, set Settings) (Pair, error) {
	return issue(now, set.Authority, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "fairway-authority " + now.UTC().Format(time.RFC3339)},
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}, held{})
}

// sign makes a serving certificate. It ends no later than its signer.
func (h held) sign(now time.Time, set Settings) (Pair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "fairway-gate"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(set.Host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{set.Host}
	}
	return issue(now, min(set.Serving, h.certificate.NotAfter.Sub(now)), template, h)
}

// issue makes a key and a certificate for it, signed by another, or by itself where that is the zero value.
func issue(now time.Time, life time.Duration, template *x509.Certificate, by held) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return Pair{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	template.NotBefore, template.NotAfter = now.Add(-backdated), now.Add(life)
	if by.certificate == nil {
		by = held{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return Pair{}, fmt.Errorf("signing a certificate: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encoding a key: %w", err)
	}
	return Pair{Certificate: encode("CERTIFICATE", der), Key: encode("EC PRIVATE KEY", keyDER)}, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
