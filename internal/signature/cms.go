package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxCertificates is the most that one message may carry: a chain, without its root as a rule.
const maxCertificates = 6

var (
	errNotCMS      = errors.New("it is not one CMS signature in its one spelling")
	errCertificate = errors.New("a certificate in it cannot be read, or there are none or too many")
	errAttributes  = errors.New("its signed attributes are not, once each and in order, a content type, a message digest and a signing time")
	errUnsigned    = errors.New("unsigned attributes are not supported, but for the log entry of a keyless signature: no timestamps of others")
	errAlgorithm   = errors.New("only RSA and ECDSA with SHA-256, SHA-384 or SHA-512 are supported")
)

// message is a CMS signature of the only shape that is believed: detached, one signer, one digest.
type message struct {
	der          []byte // in the one spelling, for the library
	signer       *x509.Certificate
	certificates []*x509.Certificate // the signer's among them
	signedAt     time.Time           // as the signer says, under the signature
	digest       string              // the object identifier of the algorithm
	attributes   []byte              // those that are signed, as the DER of a set: what the signature is over
	signature    []byte
	entry        []byte // the log entry that a keyless signature carries; nobody signed this field
}

// The object identifiers that a message is built of (RFC 5652, RFC 5754).
const (
	oidSignedData    = "1.2.840.113549.1.7.2"
	oidData          = "1.2.840.113549.1.7.1"
	oidContentType   = "1.2.840.113549.1.9.3"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidSigningTime   = "1.2.840.113549.1.9.5"
	oidSHA256        = "2.16.840.1.101.3.4.2.1"
	oidSHA384        = "2.16.840.1.101.3.4.2.2"
	oidSHA512        = "2.16.840.1.101.3.4.2.3"
	oidRSA           = "1.2.840.113549.1.1.1"
	oidLogEntry      = sigstore + "3.1" // of Rekor; gitsign puts it there
)

// matching reports whether an algorithm of signatures uses that digest, or leaves it open (RSA).
func matching(digest, algorithm string) bool {
	switch digest {
	case oidSHA256:
		return algorithm == oidRSA || algorithm == "1.2.840.113549.1.1.11" || algorithm == "1.2.840.10045.4.3.2"
	case oidSHA384:
		return algorithm == oidRSA || algorithm == "1.2.840.113549.1.1.12" || algorithm == "1.2.840.10045.4.3.3"
	case oidSHA512:
		return algorithm == oidRSA || algorithm == "1.2.840.113549.1.1.13" || algorithm == "1.2.840.10045.4.3.4"
	}
	return false
}

// parseCMS reads a message and refuses whatever the library that verifies it would pass over: more
// signers, content within, attributes twice or none, junk behind a field. It verifies nothing.
func parseCMS(raw []byte) (*message, error) {
	der, err := definite(raw)
	if err != nil {
		return nil, err
	}
	in := cryptobyte.String(der)
	var version int
	var outer, content, signed cryptobyte.String
	var digests, encapsulated, certificates, signers cryptobyte.String
	ok := in.ReadASN1(&outer, tag.SEQUENCE) && in.Empty() && readOID(&outer) == oidSignedData &&
		outer.ReadASN1(&content, tag.Tag(0).ContextSpecific().Constructed()) && outer.Empty() &&
		content.ReadASN1(&signed, tag.SEQUENCE) && content.Empty() &&
		signed.ReadASN1Integer(&version) && version == 1 &&
		signed.ReadASN1(&digests, tag.SET) &&
		signed.ReadASN1(&encapsulated, tag.SEQUENCE) && readOID(&encapsulated) == oidData && encapsulated.Empty() &&
		signed.ReadASN1(&certificates, tag.Tag(0).ContextSpecific().Constructed()) &&
		signed.ReadASN1(&signers, tag.SET) && signed.Empty()
	if !ok {
		return nil, errNotCMS
	}
	digest := readAlgorithm(&digests)
	m := &message{der: der}
	if m.certificates, err = readCertificates(certificates); err != nil {
		return nil, err
	}
	var signer cryptobyte.String
	if !digests.Empty() || !signers.ReadASN1(&signer, tag.SEQUENCE) || !signers.Empty() {
		return nil, errors.New("it has not exactly one signer and one digest")
	}
	return m, m.readSigner(signer, digest)
}

// definite turns the one streamed form that gpgsm writes, where the four outer elements have no
// length, into DER. Every other form is left as it is, and is refused where it is not DER.
func definite(raw []byte) ([]byte, error) {
	opened := []byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80")
	empty := []byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00")
	body, streamed := bytes.CutPrefix(raw, opened)
	if !streamed {
		return raw, nil
	}
	body, closed := bytes.CutSuffix(body, make([]byte, 6))
	s := cryptobyte.String(body)
	var version, digests cryptobyte.String
	if !closed || !s.ReadASN1Element(&version, tag.INTEGER) || !s.ReadASN1Element(&digests, tag.SET) {
		return nil, errNotCMS
	}
	rest, found := bytes.CutPrefix(s, empty)
	if !found {
		return nil, errNotCMS
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(opened[2:13])
		b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(version)
				b.AddBytes(digests)
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(empty[2:13]) })
				b.AddBytes(rest)
			})
		})
	})
	return b.Bytes()
}

func readOID(s *cryptobyte.String) string {
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return oid.String()
}

// readAlgorithm is an algorithm whose parameters are missing or null; else the empty string.
func readAlgorithm(s *cryptobyte.String) string {
	var algorithm, null cryptobyte.String
	if !s.ReadASN1(&algorithm, tag.SEQUENCE) {
		return ""
	}
	oid := readOID(&algorithm)
	if !algorithm.Empty() && (!algorithm.ReadASN1(&null, tag.NULL) || !null.Empty() || !algorithm.Empty()) {
		return ""
	}
	return oid
}

func readCertificates(s cryptobyte.String) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for !s.Empty() {
		var der cryptobyte.String
		if len(all) == maxCertificates || !s.ReadASN1Element(&der, tag.SEQUENCE) {
			return nil, errCertificate
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errCertificate
		}
		for _, other := range all {
			if other.Equal(certificate) {
				return nil, errors.New("it holds a certificate twice")
			}
		}
		all = append(all, certificate)
	}
	if len(all) == 0 {
		return nil, errCertificate
	}
	return all, nil
}

// readSigner reads the one SignerInfo: which certificate signed, what and when.
func (m *message) readSigner(s cryptobyte.String, digest string) error {
	var version int
	var by, issuer, serial, attributes, signature cryptobyte.String
	ok := s.ReadASN1Integer(&version) && version == 1 && s.ReadASN1(&by, tag.SEQUENCE) &&
		by.ReadASN1Element(&issuer, tag.SEQUENCE) && by.ReadASN1Element(&serial, tag.INTEGER) && by.Empty()
	if !ok {
		return errNotCMS
	}
	if readAlgorithm(&s) != digest {
		return errAlgorithm
	}
	if !s.ReadASN1(&attributes, tag.Tag(0).ContextSpecific().Constructed()) {
		return errAttributes
	}
	if !matching(digest, readAlgorithm(&s)) {
		return errAlgorithm
	}
	if !s.ReadASN1(&signature, tag.OCTET_STRING) || signature.Empty() {
		return errNotCMS
	}
	if s.PeekASN1Tag(tag.Tag(1).ContextSpecific().Constructed()) && !m.readUnsigned(&s) {
		return errUnsigned
	}
	if !s.Empty() {
		return errNotCMS
	}
	m.digest, m.signature = digest, signature
	set := cryptobyte.NewBuilder(nil)
	set.AddASN1(tag.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	m.attributes = set.BytesOrPanic()
	for _, c := range m.certificates {
		b := cryptobyte.NewBuilder(nil)
		b.AddASN1BigInt(c.SerialNumber)
		if bytes.Equal(c.RawIssuer, issuer) && bytes.Equal(b.BytesOrPanic(), serial) {
			if m.signer != nil {
				return errors.New("two certificates in it could be the signer's")
			}
			m.signer = c
		}
	}
	if m.signer == nil {
		return errors.New("the signer's certificate is not in it")
	}
	return m.readAttributes(attributes)
}

// readUnsigned reads the one unsigned attribute that means something here: an entry of a log, once.
func (m *message) readUnsigned(s *cryptobyte.String) bool {
	var all, attribute, values, entry cryptobyte.String
	ok := s.ReadASN1(&all, tag.Tag(1).ContextSpecific().Constructed()) &&
		all.ReadASN1(&attribute, tag.SEQUENCE) && all.Empty() && readOID(&attribute) == oidLogEntry &&
		attribute.ReadASN1(&values, tag.SET) && attribute.Empty() &&
		values.ReadASN1(&entry, tag.OCTET_STRING) && values.Empty() && !entry.Empty()
	m.entry = entry
	return ok
}

// readAttributes reads the signed attributes, which stand in the order of DER, each type once.
func (m *message) readAttributes(s cryptobyte.String) error {
	seen := map[string]bool{}
	var last cryptobyte.String
	for !s.Empty() {
		var element, attribute, values cryptobyte.String
		if !s.ReadASN1Element(&element, tag.SEQUENCE) || bytes.Compare(last, element) >= 0 {
			return errAttributes
		}
		last = element
		ok := element.ReadASN1(&attribute, tag.SEQUENCE)
		oid := readOID(&attribute)
		if !ok || oid == "" || seen[oid] || !attribute.ReadASN1(&values, tag.SET) || !attribute.Empty() || values.Empty() {
			return errAttributes
		}
		seen[oid] = true
		if !m.readAttribute(oid, values) {
			return errAttributes
		}
	}
	if !seen[oidContentType] || !seen[oidMessageDigest] || !seen[oidSigningTime] {
		return errAttributes
	}
	return nil
}

// readAttribute reads the value of one attribute. Others than the three are signed and say nothing
// that is asked here.
func (m *message) readAttribute(oid string, values cryptobyte.String) bool {
	switch oid {
	case oidContentType:
		return readOID(&values) == oidData && values.Empty()
	case oidMessageDigest:
		var digest cryptobyte.String // the library compares it
		return values.ReadASN1(&digest, tag.OCTET_STRING) && values.Empty()
	case oidSigningTime:
		if values.PeekASN1Tag(tag.UTCTime) {
			return values.ReadASN1UTCTime(&m.signedAt) && values.Empty()
		}
		return values.ReadASN1GeneralizedTime(&m.signedAt) && values.Empty()
	}
	return true
}
