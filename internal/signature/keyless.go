package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/smallstep/pkcs7"
	"google.golang.org/protobuf/proto"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// sigstore is the arc of the object identifiers that Fulcio and gitsign use.
const sigstore = "1.3.6.1.4.1.57264."

// maxTrustRoot is the most that the text of a trust root may measure.
const maxTrustRoot = 64 << 10

// noEntry is what somebody reads whose gitsign asks the log when it verifies, instead of keeping the proof.
const noEntry = "sign with git config gitsign.rekorMode offline: its log entry is missing"

// identity is a name and who says so, both letter by letter as a certificate carries them.
type identity struct{ name, issuer string }

// keylessKey is one identity that the authorities of the pinned trust roots may vouch for. Its holder's
// window and revocation are about every certificate for that identity.
type keylessKey struct {
	holder
	roots []*trustRoot
}

// trustRoot is one installation of Sigstore as somebody pinned it: its authorities and logs.
type trustRoot struct {
	material *root.TrustedRoot
	verifier *verify.Verifier
}

// addKeyless takes a listing. One whose trust root cannot be used vouches for nothing, but what it says of the
// identity counts: what was revoked in it another listing does not bring back.
func (k *Keyring) addKeyless(principal string, key tier.Key) (problems []string) {
	switch {
	case key.Identity == "" || key.Issuer == "":
		return []string{"identity and issuer are both needed: the issuer says whose name it is"}
	case len(key.RevokedSerials) > 0:
		return []string{"revoked serial numbers mean nothing for certificates that live for minutes"} // and the key is not used
	}
	who := identity{key.Identity, key.Issuer}
	have := k.keyless[who]
	if have == nil {
		have = &keylessKey{holder: newHolder(principal, key)}
		k.keyless[who] = have
	} else {
		problems = have.join(newHolder(principal, key))
	}
	pinned, err := k.trust(strings.TrimSpace(key.Public))
	if err != nil {
		return append(problems, err.Error())
	}
	if !slices.Contains(have.roots, pinned) {
		have.roots = append(have.roots, pinned)
	}
	return problems
}

// trust reads a trust root once, however many identities name it.
func (k *Keyring) trust(text string) (*trustRoot, error) {
	if have := k.roots[text]; have != nil {
		return have, nil
	}
	pinned, err := parseTrustRoot(text)
	if err == nil {
		k.roots[text] = pinned
	}
	return pinned, err
}

// parseTrustRoot reads a trust root in Sigstore's own JSON. What it leaves out is asked of nobody: a
// root without logs for certificates wants no proof of them, one without a log for signatures is none.
func parseTrustRoot(text string) (*trustRoot, error) {
	if len(text) > maxTrustRoot {
		return nil, errors.New("the trust root is longer than 64 KiB")
	}
	material, err := root.NewTrustedRootFromJSON([]byte(text))
	if err != nil {
		return nil, errors.New("the trust root is not a trusted_root.json that can be read")
	}
	if len(material.FulcioCertificateAuthorities()) == 0 || len(material.RekorLogs()) == 0 {
		return nil, errors.New("the trust root names no certificate authority or no transparency log")
	}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1)}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return nil, errors.New("the trust root cannot be used")
	}
	return &trustRoot{material, verifier}, nil
}

// keyless reports whether the signer's certificate is Fulcio's, whoever else issued it or pins it.
func (m *message) keyless() bool {
	for _, e := range m.signer.Extensions {
		if strings.HasPrefix(e.Id.String(), sigstore) {
			return true
		}
	}
	return false
}

// lookKeyless verifies a signature as gitsign makes it: by a key that lived for minutes, with the
// entry of a transparency log as the only proof of when that was. Nothing that the signer says of
// the time is looked at, and neither is the committer's date.
func (k *Keyring) lookKeyless(in Input, m *message) finding {
	f := finding{fingerprint: m.fingerprint()}
	var who identity
	if who, f.state, f.detail = m.identity(); f.state != change.Good {
		return f
	}
	if err := m.binds(in.Payload); err != nil {
		f.state, f.detail = change.BadSignature, "it does not verify over these bytes"
		return f
	}
	owner := k.keyless[who]
	if owner == nil || owner.shared {
		f.state, f.detail = change.UnknownKey, quoted(who.name)+" of "+quoted(who.issuer)+" is no principal's identity, or that of two"
		return f
	}
	signed, err := m.bundle()
	if err != nil {
		f.state, f.detail = change.Malformed, "its log entry cannot be read, or is none of this signature"
		return f
	}
	f.state, f.detail = change.UnknownKey, "no trust root of its identity can be used" // until one says otherwise
	for _, pinned := range owner.roots {
		if f.signedAt, f.state, f.detail = pinned.verify(m, signed, who); f.state == change.Good {
			break
		}
	}
	if f.state != change.Good {
		return f
	}
	if f.state, f.detail = owner.settle(f.signedAt, in.FirstSeen); f.state == change.Good {
		f.principal = owner.principal
	}
	return f
}

// settle judges what people say of the identity. The log's time is no choice of the signer, so a window
// asks for that time alone; a revocation voids what Fairway had not seen, as for every key.
func (k *keylessKey) settle(logged, seen time.Time) (change.SignatureState, string) {
	if state, detail := k.inForce(logged, seen); state != change.Good {
		return state, detail
	}
	return k.window.judge([]time.Time{logged}, logged)
}

// identity says whose certificate it claims to be, if it is of a kind that we believe.
func (m *message) identity() (who identity, state change.SignatureState, detail string) {
	c := m.signer
	if state, detail = forCode(c); state != change.Good {
		return who, state, detail
	}
	if m.entry == nil {
		return who, change.Unsupported, noEntry
	}
	if m.digest != oidSHA256 {
		return who, change.Unsupported, "keyless signatures are supported with SHA-256 alone"
	}
	if len(c.EmailAddresses)+len(c.URIs) != 1 || len(c.DNSNames)+len(c.IPAddresses) > 0 {
		return who, change.Malformed, "its certificate does not name exactly one address or URI"
	}
	read, err := certificate.SummarizeCertificate(c)
	if err != nil || read.Issuer == "" {
		return who, change.Malformed, "its certificate does not say who vouched for the name"
	}
	return identity{read.SubjectAlternativeName, read.Issuer}, change.Good, ""
}

// binds says whether the signed attributes are about these bytes. That they are signed is for the
// verifier of the trust root to say.
func (m *message) binds(payload []byte) error {
	p7, err := m.agreed()
	if err != nil {
		return err
	}
	var digest []byte
	sum := sha256.Sum256(payload)
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeMessageDigest, &digest); err != nil || !bytes.Equal(digest, sum[:]) {
		return errNotCMS
	}
	return nil
}

// bundle is the message in the form that Sigstore's library verifies: certificate, signature over the
// signed attributes, and the log's entry with its body filled in. gitsign leaves the body out; were ours
// another than the log's, neither the log's promise nor its proof would hold.
func (m *message) bundle() (*bundle.Bundle, error) {
	entry := &rekor.TransparencyLogEntry{}
	if err := proto.Unmarshal(m.entry, entry); err != nil {
		return nil, err
	}
	if entry.GetKindVersion().GetKind() != "hashedrekord" || entry.GetKindVersion().GetVersion() != "0.0.1" || len(entry.GetInclusionPromise().GetSignedEntryTimestamp()) == 0 {
		return nil, errors.New("not a logged signature with the log's word for its time")
	}
	sum := sha256.Sum256(m.attributes)
	var err error
	if entry.CanonicalizedBody, err = body(sum[:], m.signature, m.signer); err != nil {
		return nil, err
	}
	return bundle.NewBundle(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &common.X509Certificate{RawBytes: m.signer.Raw}},
			TlogEntries: []*rekor.TransparencyLogEntry{entry},
		},
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &common.MessageSignature{
			MessageDigest: &common.HashOutput{Algorithm: common.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signature:     m.signature,
		}},
	})
}

// body is what the log has hashed and signed: its kind hashedrekord 0.0.1, whose JSON has its
// keys in order and no white space.
func body(digest, signature []byte, signer *x509.Certificate) ([]byte, error) {
	type object map[string]any
	return json.Marshal(object{
		"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": object{
			"data": object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(digest)}},
			"signature": object{"content": signature, "publicKey": object{
				"content": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Raw}),
			}},
		},
	})
}

// verify has Sigstore's library check everything under one trust root: the log's promise and proof,
// the chain at the time the log gives, the proof that the certificate itself was logged, the
// signature, name and issuer. It returns that time.
func (r *trustRoot) verify(m *message, signed *bundle.Bundle, who identity) (time.Time, change.SignatureState, string) {
	want, err := verify.NewShortCertificateIdentity(who.issuer, "", who.name, "")
	if err != nil {
		return time.Time{}, change.UnknownKey, "its identity cannot be compared"
	}
	result, err := r.verifier.Verify(signed, verify.NewPolicy(
		verify.WithArtifact(bytes.NewReader(m.attributes)), verify.WithCertificateIdentity(want)))
	if err != nil || len(result.VerifiedTimestamps) != 1 {
		state, detail := r.why(m, signed)
		return time.Time{}, state, detail
	}
	logged := result.VerifiedTimestamps[0].Timestamp
	chains, err := verify.VerifyLeafCertificate(logged, m.signer, r.material)
	if err != nil {
		return time.Time{}, change.UnknownKey, "its certificate leads to no authority of the trust root"
	}
	used := slices.Concat(chains...)
	for _, c := range m.certificates {
		if !slices.ContainsFunc(used, c.Equal) {
			return time.Time{}, change.Malformed, "it holds a certificate that is not in its chain"
		}
	}
	return logged, change.Good, ""
}

// why finds a reason for people, step by step, for a signature that was refused. It never says Good.
func (r *trustRoot) why(m *message, signed *bundle.Bundle) (change.SignatureState, string) {
	claimed := time.Unix(signed.GetVerificationMaterial().GetTlogEntries()[0].GetIntegratedTime(), 0)
	switch {
	case claimed.Before(m.signer.NotBefore):
		return change.NotYetValid, "logged at " + stamp(claimed) + ", before its certificate was valid at " + stamp(m.signer.NotBefore)
	case claimed.After(m.signer.NotAfter):
		return change.ExpiredKey, "logged at " + stamp(claimed) + ", when its certificate had ended at " + stamp(m.signer.NotAfter)
	}
	if _, err := verify.VerifyTlogEntry(signed, r.material, 1, true); err != nil {
		return change.BadSignature, "no log of the trust root vouches for this signature at the time it gives"
	}
	chains, err := verify.VerifyLeafCertificate(claimed, m.signer, r.material)
	if err != nil {
		return change.UnknownKey, "its certificate leads to no authority of the trust root"
	}
	if verify.VerifySignedCertificateTimestamp(chains, 1, r.material) != nil && len(r.material.CTLogs()) > 0 {
		return change.UnknownKey, "no log of the trust root vouches for its certificate"
	}
	return change.BadSignature, "it does not verify over these bytes"
}

// quoted shows text of others on one line, in ASCII, and not all of it where it is long.
func quoted(text string) string {
	const most = 100
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.QuoteToASCII(text)
}
