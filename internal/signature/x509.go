package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// x509Key is one address that one pinned authority may vouch for. Its holder's window and revocation
// are about every certificate for that address.
type x509Key struct {
	holder
	root    *x509.Certificate
	roots   *x509.CertPool // the root alone
	revoked []*big.Int     // serial numbers
}

func (k *Keyring) addX509(principal string, key tier.Key) (problems []string) {
	root, err := parseAuthority(key.Public)
	if err == nil && !strings.Contains(key.Identity, "@") {
		err = errors.New("identity is not the e-mail address that the certificates carry")
	}
	if err != nil {
		return []string{err.Error()}
	}
	found := &x509Key{holder: newHolder(principal, key), root: root, roots: x509.NewCertPool()}
	found.roots.AddCert(root)
	for _, text := range key.RevokedSerials {
		serial, ok := new(big.Int).SetString(text, 16)
		if !ok {
			return []string{"a revoked serial number is not hexadecimal"} // and the key is not used
		}
		found.revoked = append(found.revoked, serial)
	}
	for _, have := range k.x509[key.Identity] {
		if have.root.Equal(root) {
			have.revoked = append(have.revoked, found.revoked...)
			return have.join(found.holder)
		}
	}
	k.x509[key.Identity] = append(k.x509[key.Identity], found)
	return nil
}

// parseAuthority reads the one certificate of an authority that a Team pins.
func parseAuthority(text string) (*x509.Certificate, error) {
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, errors.New("this is a private key: take it out and treat it as compromised")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 ||
		!strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN ") {
		return nil, errors.New("exactly one certificate in PEM is wanted")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return nil, errors.New("the certificate cannot be read")
	case !root.BasicConstraintsValid || !root.IsCA || root.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, errors.New("the certificate is not that of an authority that may sign certificates")
	}
	return root, usableX509(root)
}

func usableX509(c *x509.Certificate) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsaSize(key.N.BitLen())
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256, 384, 521: // the library reads the curves of NIST alone
			return nil
		}
	}
	return errors.New("the algorithm of the key is not supported")
}

// lookX509 verifies a CMS signature as gpgsm and smimesign make it. The certificate must lead to the
// authority that a principal pins, be for an address of that principal, and be one for signing code.
func (k *Keyring) lookX509(in Input) finding {
	if in.Namespace != GitNamespace {
		return refuse(change.Unsupported, "X.509 signatures are supported for commits only, since they do not say what they are for")
	}
	raw, err := decodeX509(in.Armour)
	if err != nil {
		return refuse(change.Malformed, err.Error())
	}
	m, err := parseCMS(raw)
	switch {
	case errors.Is(err, errUnsigned), errors.Is(err, errAlgorithm):
		return refuse(change.Unsupported, err.Error())
	case err != nil:
		return refuse(change.Malformed, err.Error())
	}
	if m.keyless() {
		return k.lookKeyless(in, m)
	}
	if m.entry != nil {
		return refuse(change.Unsupported, errUnsigned.Error())
	}
	f := finding{fingerprint: m.fingerprint(), signedAt: m.signedAt}
	if f.state, f.detail = m.acceptable(); f.state != change.Good {
		return f
	}
	if err := m.verify(in.Payload); err != nil {
		f.state, f.detail = change.BadSignature, "it does not verify over these bytes"
		return f
	}
	owners, chains := k.owners(m)
	if f.state, f.detail = m.belongs(owners, chains); f.state != change.Good {
		return f
	}
	for _, owner := range owners {
		f.state, f.detail = owner.settle(in, m.signedAt, chains)
		if f.state != change.Good {
			return f
		}
	}
	f.principal = owners[0].principal
	return f
}

// fingerprint names the certificate that signed.
func (m *message) fingerprint() string {
	sum := sha256.Sum256(m.signer.Raw)
	return fingerprint(sum[:])
}

// acceptable says whether the signer's certificate is of a kind that we believe, whoever issued it.
func (m *message) acceptable() (change.SignatureState, string) {
	c := m.signer
	if state, detail := forCode(c); state != change.Good {
		return state, detail
	}
	switch {
	case m.signedAt.Before(c.NotBefore):
		return change.NotYetValid, "made at " + stamp(m.signedAt) + ", before its certificate was valid at " + stamp(c.NotBefore)
	case m.signedAt.After(c.NotAfter):
		return change.ExpiredKey, "made at " + stamp(m.signedAt) + ", when its certificate had ended at " + stamp(c.NotAfter)
	}
	return change.Good, ""
}

// forCode says whether a certificate is one for signing code with a key that we believe.
func forCode(c *x509.Certificate) (change.SignatureState, string) {
	if err := usableX509(c); err != nil {
		return change.Unsupported, err.Error()
	}
	if c.IsCA || c.KeyUsage&x509.KeyUsageDigitalSignature == 0 || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) {
		return change.UnknownKey, "its certificate is not one for signing code"
	}
	return change.Good, ""
}

// verify checks the digest and the signature. Chains are not the library's: it leaves out what a
// certificate is for.
func (m *message) verify(payload []byte) error {
	p7, err := m.agreed()
	if err != nil {
		return err
	}
	p7.Content = payload
	return p7.VerifyWithChainAtTime(nil, m.signedAt)
}

// agreed is the message as the library reads it: two readers of one message must have read the same.
func (m *message) agreed() (*pkcs7.PKCS7, error) {
	p7, err := pkcs7.Parse(m.der)
	if err != nil {
		return nil, err
	}
	var at time.Time
	if only := p7.GetOnlySigner(); only == nil || !only.Equal(m.signer) || len(p7.Content) > 0 {
		return nil, errNotCMS
	}
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeSigningTime, &at); err != nil || !at.Equal(m.signedAt) {
		return nil, errNotCMS
	}
	return p7, nil
}

// owners are the listings whose authority vouches, at the time of signing, for an address that they
// name, with all chains that lead there.
func (k *Keyring) owners(m *message) (owners []*x509Key, chains [][]*x509.Certificate) {
	carried := x509.NewCertPool()
	for _, c := range m.certificates {
		carried.AddCert(c)
	}
	for _, address := range m.signer.EmailAddresses {
		for _, key := range k.x509[address] {
			found, err := m.signer.Verify(x509.VerifyOptions{
				Roots: key.roots, Intermediates: carried, CurrentTime: m.signedAt,
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
			})
			if err == nil {
				owners, chains = append(owners, key), append(chains, found...)
			}
		}
	}
	return owners, chains
}

// belongs says whether the certificate is one principal's and everything in the message led there.
func (m *message) belongs(owners []*x509Key, chains [][]*x509.Certificate) (change.SignatureState, string) {
	if len(owners) == 0 {
		return change.UnknownKey, "no principal has an address of the certificate under an authority that it led to when it was made"
	}
	for _, o := range owners {
		if o.shared || o.principal != owners[0].principal {
			return change.UnknownKey, "two principals list an address of the certificate, so it belongs to neither"
		}
	}
	used := slices.Concat(chains...)
	for _, c := range m.certificates {
		if !slices.ContainsFunc(used, c.Equal) {
			return change.Malformed, "it holds a certificate that is not in its chain"
		}
	}
	for _, c := range used {
		if err := usableX509(c); err != nil {
			return change.Unsupported, fmt.Sprintf("a certificate of its chain: %s", err)
		}
	}
	return change.Good, ""
}

// settle judges what people say of the address first, then the lives of all certificates.
func (k *x509Key) settle(in Input, made time.Time, chains [][]*x509.Certificate) (change.SignatureState, string) {
	claims := []time.Time{in.ClaimedAt, made}
	if state, detail := k.judge(claims, in.FirstSeen); state != change.Good {
		return state, detail
	}
	for _, c := range slices.Concat(chains...) {
		if slices.ContainsFunc(k.revoked, func(serial *big.Int) bool { return serial.Cmp(c.SerialNumber) == 0 }) {
			return change.RevokedKey, "a certificate of its chain is revoked by its serial number: nothing it ever signed counts"
		}
		lived := holder{window: window{c.NotBefore, c.NotAfter}}
		if state, detail := lived.judge(claims, in.FirstSeen); state != change.Good {
			return state, detail
		}
	}
	return change.Good, ""
}
