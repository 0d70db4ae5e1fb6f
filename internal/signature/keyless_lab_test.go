package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/proto"

	"github.com/fairway-dev/fairway/internal/tier"
)

const (
	adaIdentity = "ada@example.com"
	adaIssuer   = "https://accounts.example.com"
)

// sigstoreLab stands in for one installation of Sigstore: an authority with one between, a log for
// certificates and one for signatures, each with a key of its own. What they sign is real, and
// made by hand, so that it does not lean on the code that reads it.
type sigstoreLab struct {
	root, between *bearer
	certs, log    *ecdsa.PrivateKey
}

func newSigstoreLab(t testing.TB) *sigstoreLab {
	t.Helper()
	l := &sigstoreLab{root: issue(t, nil, 1, asAuthority("sigstore"))}
	l.between = issue(t, l.root, 2, asAuthority("sigstore-between"))
	for _, key := range []**ecdsa.PrivateKey{&l.certs, &l.log} {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		*key = made
	}
	return l
}

// logID is the digest of a log's public key.
func logID(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return sum[:]
}

func sign(t testing.TB, key crypto.Signer, data []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(data)
	out, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// trustRoot is what somebody pins, in Sigstore's own JSON.
func (l *sigstoreLab) trustRoot(t testing.TB, change ...func(cas *[]root.CertificateAuthority, certs, logs map[string]*root.TransparencyLog)) string {
	t.Helper()
	logs := func(key *ecdsa.PrivateKey) map[string]*root.TransparencyLog {
		id := logID(t, key)
		return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
			BaseURL: "https://log.test", ID: id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
			ValidityPeriodStart: day(1), PublicKey: key.Public(),
		}}
	}
	cas := []root.CertificateAuthority{&root.FulcioCertificateAuthority{
		Root: l.root.certificate, Intermediates: []*x509.Certificate{l.between.certificate}, ValidityPeriodStart: day(1),
	}}
	certs, entries := logs(l.certs), logs(l.log)
	for _, c := range change {
		c(&cas, certs, entries)
	}
	made, err := root.NewTrustedRoot(root.TrustedRootMediaType01, cas, certs, nil, entries)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// key is ada's listing under this installation.
func (l *sigstoreLab) key(t testing.TB) tier.Key {
	return tier.Key{Format: tier.Sigstore, Public: l.trustRoot(t), Identity: adaIdentity, Issuer: adaIssuer}
}

// person gets a certificate for ten minutes, as Fulcio issues it: with an issuer, and logged.
func (l *sigstoreLab) person(t testing.TB, at time.Time, change ...func(*x509.Certificate)) *bearer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter, c.Subject = at.Add(-time.Minute), at.Add(9*time.Minute), pkix.Name{}
		c.ExtraExtensions = issuedBy(adaIssuer)
		for _, f := range change {
			f(c)
		}
	}
	draft := issueFor(t, key, l.between, 7, fill)
	return issueFor(t, key, l.between, 7, fill, func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, l.receipt(t, draft.certificate, at))
	})
}

// issuedBy are the two extensions in which Fulcio says who vouched for the name.
func issuedBy(issuer string) []pkix.Extension {
	text, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		panic(err) // of a string
	}
	return []pkix.Extension{{Id: numbers(sigstore + "1.1"), Value: []byte(issuer)}, {Id: numbers(sigstore + "1.8"), Value: text}}
}

// receipt is the signed certificate timestamp (RFC 6962 §3.2, §3.3) for a certificate without it.
func (l *sigstoreLab) receipt(t testing.TB, draft *x509.Certificate, at time.Time) pkix.Extension {
	issuer := sha256.Sum256(l.between.certificate.RawSubjectPublicKeyInfo)
	stamped := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())) //nolint:gosec // after 1970
	tbs := draft.RawTBSCertificate
	entry := slices.Concat([]byte{0, 0}, stamped, []byte{0, 1}, issuer[:], []byte{byte(len(tbs) >> 16), byte(len(tbs) >> 8), byte(len(tbs))}, tbs, []byte{0, 0})
	length := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) } //nolint:gosec // short
	one := slices.Concat([]byte{0}, logID(t, l.certs), stamped, []byte{0, 0, 4, 3}, length(sign(t, l.certs, entry)))
	value, err := asn1.Marshal(length(length(one)))
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: numbers("1.3.6.1.4.1.11129.2.4.2"), Value: value}
}

// logged is the log's entry for a signature over some bytes by a certificate, in the log's words:
// its body (hashedrekord 0.0.1), the promise, and the proof with a checkpoint in a tree of two leaves.
func (l *sigstoreLab) logged(t testing.TB, by *bearer, data, signature []byte, at time.Time) *rekor.TransparencyLogEntry {
	t.Helper()
	sum := sha256.Sum256(data)
	b64 := base64.StdEncoding.EncodeToString
	body := fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},`+
		`"signature":{"content":"%s","publicKey":{"content":"%s"}}}}`, sum, b64(signature), b64([]byte(by.pem())))
	promised := fmt.Sprintf(`{"body":"%s","integratedTime":%d,"logID":"%x","logIndex":1001}`, b64(body), at.Unix(), logID(t, l.log))
	leaf, other := sha256.Sum256(append([]byte{0}, body...)), sha256.Sum256([]byte("\x00other"))
	top := sha256.Sum256(slices.Concat([]byte{1}, other[:], leaf[:]))
	tree := fmt.Sprintf("log.test - 123\n2\n%s\n", b64(top[:]))
	note := b64(append(logID(t, l.log)[:4:4], sign(t, l.log, []byte(tree))...))
	return &rekor.TransparencyLogEntry{
		LogIndex: 1001, LogId: &common.LogId{KeyId: logID(t, l.log)}, IntegratedTime: at.Unix(),
		KindVersion:      &rekor.KindVersion{Kind: "hashedrekord", Version: "0.0.1"},
		InclusionPromise: &rekor.InclusionPromise{SignedEntryTimestamp: sign(t, l.log, []byte(promised))},
		InclusionProof: &rekor.InclusionProof{
			LogIndex: 1, TreeSize: 2, RootHash: top[:], Hashes: [][]byte{other[:]},
			Checkpoint: &rekor.Checkpoint{Envelope: tree + "\n— log.test " + note + "\n"},
		},
	}
}

// gitsign is a signature that carries its log entry, changed as a row wants it.
func (l *sigstoreLab) gitsign(t testing.TB, f forge, at time.Time, change ...func(*rekor.TransparencyLogEntry)) []byte {
	t.Helper()
	f.unsigned = func(attributes, signature []byte) []byte {
		entry := l.logged(t, f.by, attributes, signature, at)
		for _, c := range change {
			c(entry)
		}
		raw, err := proto.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		return entryOf(oidLogEntry, raw)
	}
	return armourX509(f.make(t))
}
