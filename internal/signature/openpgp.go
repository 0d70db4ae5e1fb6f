package signature

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// maxPublicKey is the most that an armoured OpenPGP public key may measure.
const maxPublicKey = 1 << 20

// pgpKey is one primary key or subkey that may sign data, with what its self-signatures say of it.
type pgpKey struct {
	holder
	public      *packet.PublicKey
	fingerprint string
	life        window // from the key's creation to the earliest end that its self-signatures set
	revoked     bool   // by a revocation within the key itself
}

// addOpenPGP adds every key of one OpenPGP certificate that may sign. What its self-signatures say
// is read once, here: a later copy of the certificate comes with a new People.
func (k *Keyring) addOpenPGP(principal string, key tier.Key) (problems []string) {
	entity, err := parseOpenPGPPublic(key.Public)
	if err != nil {
		return []string{err.Error()}
	}
	keys, err := signingKeys(entity)
	if err != nil {
		return []string{err.Error()}
	}
	for _, found := range keys {
		found.holder = newHolder(principal, key)
		have, ok := k.pgp[found.fingerprint]
		if !ok {
			k.pgp[found.fingerprint] = found
			continue
		}
		problems = append(problems, have.join(found.holder)...)
		have.narrow(found)
	}
	return problems
}

// narrow joins two copies of one key: the shorter life and any revocation count.
func (p *pgpKey) narrow(other *pgpKey) {
	p.revoked = p.revoked || other.revoked
	p.life = p.life.narrow(other.life)
}

func parseOpenPGPPublic(armoured string) (*openpgp.Entity, error) {
	if len(armoured) > maxPublicKey {
		return nil, errors.New("longer than 1 MiB")
	}
	if isArmoured([]byte(armoured), "PGP PRIVATE KEY BLOCK") {
		return nil, errors.New("this is a private key: take it out and treat it as compromised")
	}
	entities, err := openpgp.ReadArmoredKeyRing(strings.NewReader(armoured))
	switch {
	case err != nil:
		return nil, errors.New("not an armoured OpenPGP public key")
	case len(entities) != 1 || strings.Count(armoured, "-----BEGIN ") != 1:
		return nil, errors.New("exactly one OpenPGP certificate is wanted")
	case entities[0].PrimaryKey.Version != 4:
		return nil, fmt.Errorf("version %d keys are not supported", entities[0].PrimaryKey.Version)
	}
	return entities[0], nil
}

// signingKeys are the keys of a certificate that its owner made for signing data. A revocation of
// the primary key, for whatever reason and whether or not we can verify who made it, revokes all.
func signingKeys(e *openpgp.Entity) ([]*pgpKey, error) {
	var always time.Time // zero: the library then leaves times out of it
	self, err := e.PrimarySelfSignature(always, config())
	if err != nil {
		return nil, errors.New("no valid self-signature")
	}
	revoked, end := len(e.Revocations) > 0, primaryEnd(e)
	var keys []*pgpKey
	var unusable error
	add := func(public *packet.PublicKey, own *packet.Signature, revoked bool, end time.Time) {
		if !own.FlagsValid || !own.FlagSign {
			return
		}
		if err := usableOpenPGP(public); err != nil {
			unusable = err
			return
		}
		keys = append(keys, &pgpKey{
			public: public, fingerprint: fingerprint(public.Fingerprint), revoked: revoked,
			life: window{public.CreationTime, end},
		})
	}
	add(e.PrimaryKey, self, revoked, end)
	for i := range e.Subkeys {
		s := &e.Subkeys[i]
		// The binding is valid only if a subkey that signs has signed its primary key back.
		own, err := s.LatestValidBindingSignature(always, config())
		if err != nil {
			continue
		}
		add(s.PublicKey, own, revoked || len(s.Revocations) > 0, earlier(end, keyEnd(s.PublicKey, own)))
	}
	if len(keys) == 0 && unusable != nil {
		return nil, unusable
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that may sign")
	}
	return keys, nil
}

// primaryEnd is the earliest end that a valid self-signature sets to the primary key.
func primaryEnd(e *openpgp.Entity) (end time.Time) {
	var always time.Time
	for _, id := range e.Identities {
		if self, err := id.Verify(always, config()); err == nil {
			end = earlier(end, keyEnd(e.PrimaryKey, self))
		}
	}
	if direct, err := e.LatestValidDirectSignature(always, config()); err == nil {
		end = earlier(end, keyEnd(e.PrimaryKey, direct))
	}
	return end
}

// keyEnd is when a key ends by one self-signature: its own end, or the signature's.
func keyEnd(public *packet.PublicKey, self *packet.Signature) (end time.Time) {
	if s := self.KeyLifetimeSecs; s != nil && *s > 0 {
		end = public.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	if s := self.SigLifetimeSecs; s != nil && *s > 0 {
		end = earlier(end, self.CreationTime.Add(time.Duration(*s)*time.Second))
	}
	return end
}

// usableOpenPGP accepts what every supported gpg verifies and nobody calls weak.
func usableOpenPGP(public *packet.PublicKey) error {
	switch public.PubKeyAlgo {
	case packet.PubKeyAlgoRSA:
		key, ok := public.PublicKey.(*rsa.PublicKey)
		if !ok {
			return errors.New("the size of the RSA key cannot be told")
		}
		return rsaSize(key.N.BitLen())
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA:
		curve, err := public.Curve()
		if err != nil {
			return errors.New("the curve of the key cannot be told")
		}
		switch curve {
		case packet.Curve25519, packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521:
			return nil
		}
		return fmt.Errorf("keys on the curve %s are not supported", curve)
	}
	return errors.New("the algorithm of the key is not supported")
}

func config() *packet.Config { return &packet.Config{} }

// fingerprint spells an OpenPGP fingerprint as gpg does.
func fingerprint(f []byte) string { return strings.ToUpper(hex.EncodeToString(f)) }

// lookOpenPGP verifies a detached OpenPGP signature. A signer is looked up by full fingerprint and
// never by the 64-bit key id, which can be made to collide.
func (k *Keyring) lookOpenPGP(in Input) finding {
	raw, err := decodeOpenPGP(in.Armour)
	if err != nil {
		return refuse(change.Malformed, err.Error())
	}
	sig, state, detail := parseOpenPGP(raw)
	if state != change.Good {
		return refuse(state, detail)
	}
	f := finding{fingerprint: fingerprint(sig.IssuerFingerprint), signedAt: sig.CreationTime}
	if f.state, f.detail = acceptable(sig, in.Namespace); f.state != change.Good {
		return f
	}
	key, ok := k.pgp[f.fingerprint]
	switch {
	case !ok:
		f.state, f.detail = change.UnknownKey, "the key belongs to nobody"
		return f
	case key.shared:
		f.state, f.detail = change.UnknownKey, "two principals list the key, so it belongs to neither"
		return f
	}
	if err := key.verify(in.Payload, sig); err != nil {
		f.state, f.detail = change.BadSignature, "it does not verify over these bytes"
		return f
	}
	f = key.settle(in, sig.CreationTime)
	f.signedAt = sig.CreationTime
	return f
}

// settle judges the key's own life first, then what people say of it.
func (p *pgpKey) settle(in Input, made time.Time) finding {
	claims := []time.Time{in.ClaimedAt, made}
	if p.revoked {
		return finding{state: change.RevokedKey, fingerprint: p.fingerprint, detail: "the key is revoked by its own certificate"}
	}
	own := holder{principal: p.principal, window: p.life}
	listed := settle(&p.holder, p.fingerprint, claims, in.FirstSeen)
	if lived := settle(&own, p.fingerprint, claims, in.FirstSeen); listed.state == change.Good {
		return lived
	}
	return listed
}

func (p *pgpKey) verify(payload []byte, sig *packet.Signature) error {
	h, err := sig.PrepareVerify()
	if err != nil {
		return err
	}
	_, _ = h.Write(payload) // a hash never fails to write
	return p.public.VerifySignature(h, sig)
}

// parseOpenPGP reads a body that is exactly one signature packet of version 4.
func parseOpenPGP(raw []byte) (*packet.Signature, change.SignatureState, string) {
	r := bytes.NewReader(raw)
	p, err := packet.Read(r)
	if err != nil {
		return nil, change.Malformed, "it is not an OpenPGP signature, or one of an unknown kind"
	}
	sig, ok := p.(*packet.Signature)
	switch {
	case !ok || r.Len() > 0:
		return nil, change.Malformed, "it is not exactly one OpenPGP signature"
	case sig.Version != 4:
		return nil, change.Unsupported, fmt.Sprintf("version %d signatures are not supported", sig.Version)
	}
	return sig, change.Good, ""
}

// NamespaceNotation is the notation by which an OpenPGP signature says what it was made for, as an
// SSH signature does by its namespace. A commit's signature has none. With gpg it is set by
// --sig-notation.
const NamespaceNotation = "namespace@fairway.dev"

// acceptable says whether a signature is of a kind that we believe.
func acceptable(sig *packet.Signature, namespace string) (change.SignatureState, string) {
	switch {
	case sig.SigType != packet.SigTypeBinary:
		return change.Unsupported, "only signatures over binary data are supported, since others sign several spellings"
	case sig.Hash != crypto.SHA256 && sig.Hash != crypto.SHA512:
		return change.Unsupported, "only SHA-256 and SHA-512 are supported; set digest-algo"
	case len(sig.IssuerFingerprint) == 0:
		return change.Unsupported, "it does not name the full fingerprint of its key"
	case sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs > 0:
		return change.Unsupported, "signatures that expire are not supported"
	case sig.CreationTime.IsZero():
		return change.Malformed, "it does not say when it was made"
	}
	var made []string
	for _, n := range sig.Notations {
		switch {
		case n.Name == NamespaceNotation:
			made = append(made, string(n.Value))
		case n.IsCritical:
			return change.Unsupported, "it carries a critical notation that is not known"
		}
	}
	if namespace == GitNamespace && len(made) == 0 || namespace != GitNamespace && len(made) == 1 && made[0] == namespace {
		return change.Good, ""
	}
	return change.BadSignature, fmt.Sprintf("it was made for another purpose than %q", namespace)
}
