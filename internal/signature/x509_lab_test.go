package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // gpg-agent names what it trusts so
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// bearer is somebody with a certificate: an authority or a person.
type bearer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// issue makes a key and a certificate: by default one of ada@example.com for signing code, good from
// day 1 for twenty years. A nil issuer signs itself.
func issue(t testing.TB, issuer *bearer, serial int64, change ...func(*x509.Certificate)) *bearer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, key, issuer, serial, change...)
}

func issueRSA(t testing.TB, bits int, issuer *bearer, serial int64, change ...func(*x509.Certificate)) *bearer {
	t.Helper()
	if tt, ok := t.(*testing.T); ok && bits < 2048 {
		tt.Setenv("GODEBUG", "rsa1024min=0") // weak keys are what we refuse
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, key, issuer, serial, change...)
}

func issueFor(t testing.TB, key crypto.Signer, issuer *bearer, serial int64, change ...func(*x509.Certificate)) *bearer {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), SubjectKeyId: []byte{1, byte(serial)}, Subject: pkix.Name{CommonName: "ada " + big.NewInt(serial).String()},
		NotBefore: day(1), NotAfter: day(1).AddDate(20, 0, 0), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		EmailAddresses: []string{"ada@example.com"},
	}
	for _, c := range change {
		c(template)
	}
	b := &bearer{key: key}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if b.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return b
}

// asAuthority turns a template into that of an authority.
func asAuthority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.EmailAddresses, c.ExtKeyUsage = name, true, nil, nil
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
}

func (b *bearer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.certificate.Raw}))
}

func (b *bearer) keyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(b.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// trustX509 has gpgsm trust these authorities and ask for no revocation lists. It comes before the
// first use of gpgsm, since gpg-agent reads the list once.
func (l *lab) trustX509(roots ...*bearer) {
	l.t.Helper()
	var list strings.Builder
	for _, r := range roots {
		sum := sha1.Sum(r.certificate.Raw) //nolint:gosec // as above
		list.WriteString(strings.ToUpper(hex.EncodeToString(sum[:])) + " S relax\n")
	}
	l.write("trustlist.txt", list.String())
	l.write("gpgsm.conf", "disable-crl-checks\ndisable-dirmngr\n")
	for _, r := range roots {
		l.run([]byte(r.pem()), "gpgsm", "--batch", "--quiet", "--import")
	}
}

// signGPGSM imports a person into gpgsm and signs as git asks gpgsm to.
func (l *lab) signGPGSM(at time.Time, b *bearer, payload []byte) []byte {
	l.t.Helper()
	key, certificate := l.write("key.pem", b.keyPEM(l.t)), l.write("certificate.pem", b.pem())
	l.run(nil, "openssl", "pkcs12", "-export", "-legacy", "-inkey", key, "-in", certificate, "-passout", "pass:x", "-out", l.dir+"/person.p12")
	asked := []string{"--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd", "0"}
	l.run([]byte("x\n"), "gpgsm", append(asked, "--import", l.dir+"/person.p12")...)
	sum := sha1.Sum(b.certificate.Raw) //nolint:gosec // as above
	return l.run([]byte("x\n"), "gpgsm", append(asked, "--faked-system-time", at.Format("20060102T150405"), "-bsau",
		hex.EncodeToString(sum[:]), l.write("payload", string(payload)))...)
}

// signOpenSSL signs with openssl, which takes the time of today.
func (l *lab) signOpenSSL(payload []byte, b *bearer, args ...string) []byte {
	l.t.Helper()
	key, certificate := l.write("key.pem", b.keyPEM(l.t)), l.write("certificate.pem", b.pem())
	return armourX509(l.run(payload, "openssl", append([]string{"cms", "-sign", "-binary", "-outform", "DER",
		"-signer", certificate, "-inkey", key}, args...)...))
}

// openSSLAccepts is what openssl cms says of it with that root, for any purpose, at that time.
func (l *lab) openSSLAccepts(payload, armour []byte, root *bearer, at time.Time) bool {
	l.t.Helper()
	raw, err := decodeX509(armour)
	if err != nil {
		return false
	}
	_, _, err = l.try(raw, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-content", l.write("content", string(payload)),
		"-CAfile", l.write("root.pem", root.pem()), "-purpose", "any", "-attime", big.NewInt(at.Unix()).String(), "-out", "/dev/null")
	return err == nil
}

func armourX509(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "SIGNED MESSAGE", Bytes: der})
}

// forge is a message of any shape. The zero value, but for the payload and the signer, is a good one.
type forge struct {
	payload      []byte
	by           *bearer
	at           time.Time
	with         []*bearer                   // further certificates
	attributes   func(all [][]byte) [][]byte // changes the signed attributes, which stand in order
	digestSigned string                      // the signer's digest algorithm; empty: SHA-256
	// unsigned are the unsigned attributes for a signature over signed ones; nil: none.
	unsigned    func(attributes, signature []byte) []byte
	crls        bool   // adds an empty set of revocation lists
	contentType string // of the content; empty: data
	streamed    bool   // in the form of gpgsm
}

func attribute(oid string, value func(*cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(numbers(oid))
		b.AddASN1(tag.SET, value)
	})
	return b.BytesOrPanic()
}

func numbers(oid string) (out asn1.ObjectIdentifier) {
	for _, n := range strings.Split(oid, ".") {
		i, _ := new(big.Int).SetString(n, 10)
		out = append(out, int(i.Int64()))
	}
	return out
}

func algorithm(oid string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(numbers(oid)) }
}

// entryOf is an unsigned attribute that holds one value.
func entryOf(oid string, value []byte) []byte {
	return attribute(oid, func(b *cryptobyte.Builder) { b.AddASN1OctetString(value) })
}

// anyEntry is the attribute of a log's entry that no log made.
func anyEntry(_, _ []byte) []byte { return entryOf(oidLogEntry, []byte("entry")) }

func (f forge) signedAttributes() []byte {
	sum := sha256.Sum256(f.payload)
	all := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(numbers(oidData)) }),
		attribute(oidSigningTime, func(b *cryptobyte.Builder) { b.AddASN1UTCTime(f.at.UTC()) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) }),
	}
	slices.SortFunc(all, slices.Compare)
	if f.attributes != nil {
		all = f.attributes(all)
	}
	return slices.Concat(all...)
}

func (f forge) make(t testing.TB) []byte {
	t.Helper()
	attributes := f.signedAttributes()
	set := cryptobyte.NewBuilder(nil)
	set.AddASN1(tag.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	sum := sha256.Sum256(set.BytesOrPanic())
	signature, err := f.by.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if f.digestSigned == "" {
		f.digestSigned = oidSHA256
	}
	if f.contentType == "" {
		f.contentType = oidData
	}
	field := func(n uint8) tag.Tag { return tag.Tag(n).ContextSpecific().Constructed() }
	signer := func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(f.by.certificate.RawIssuer)
			b.AddASN1BigInt(f.by.certificate.SerialNumber)
		})
		b.AddASN1(tag.SEQUENCE, algorithm(f.digestSigned))
		b.AddASN1(field(0), func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
		b.AddASN1(tag.SEQUENCE, algorithm("1.2.840.10045.4.3.2"))
		b.AddASN1OctetString(signature)
		if f.unsigned != nil {
			b.AddASN1(field(1), func(b *cryptobyte.Builder) { b.AddBytes(f.unsigned(set.BytesOrPanic(), signature)) })
		}
	}
	signed := func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(tag.SET, func(b *cryptobyte.Builder) { b.AddASN1(tag.SEQUENCE, algorithm(oidSHA256)) })
		b.AddASN1(tag.SEQUENCE, algorithm(f.contentType))
		b.AddASN1(field(0), func(b *cryptobyte.Builder) {
			for _, c := range append([]*bearer{f.by}, f.with...) {
				b.AddBytes(c.certificate.Raw)
			}
		})
		if f.crls {
			b.AddASN1(field(1), func(*cryptobyte.Builder) {})
		}
		b.AddASN1(tag.SET, func(b *cryptobyte.Builder) { b.AddASN1(tag.SEQUENCE, signer) })
	}
	if f.streamed {
		b := cryptobyte.NewBuilder(nil)
		signed(b)
		data := "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
		return []byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80" +
			strings.Replace(string(b.BytesOrPanic()), "\x30\x0b"+data, "\x30\x80"+data+"\x00\x00", 1) + strings.Repeat("\x00", 6))
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(numbers(oidSignedData))
		b.AddASN1(field(0), func(b *cryptobyte.Builder) { b.AddASN1(tag.SEQUENCE, signed) })
	})
	return b.BytesOrPanic()
}
