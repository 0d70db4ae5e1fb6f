package signature

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The sizes of RSA keys that are used, in bits. Longer ones only cost time.
const (
	minRSA = 2048
	maxRSA = 8192
)

type sshKey struct {
	holder
	public      ssh.PublicKey
	fingerprint string
}

func (k *Keyring) addSSH(principal string, key tier.Key) (problems []string) {
	public, err := parseSSHPublic(key.Public)
	if err != nil {
		return []string{err.Error()}
	}
	h, id := newHolder(principal, key), string(public.Marshal())
	if have, ok := k.ssh[id]; ok {
		return have.join(h)
	}
	k.ssh[id] = &sshKey{holder: h, public: public, fingerprint: ssh.FingerprintSHA256(public)}
	return nil
}

// parseSSHPublic reads one authorized_keys line. Options are refused, since one that is not obeyed
// (expiry-time, cert-authority, no-touch-required) would be obeyed by nobody.
func parseSSHPublic(line string) (ssh.PublicKey, error) {
	line = strings.TrimSpace(line)
	if strings.ContainsAny(line, "\r\n") {
		return nil, errors.New("more than one line")
	}
	public, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil || len(rest) > 0:
		return nil, errors.New("not an SSH public key")
	case len(options) > 0:
		return nil, errors.New("options are not supported; use notBefore, notAfter and revokedAt")
	}
	return public, usableSSH(public)
}

func usableSSH(public ssh.PublicKey) error {
	switch public.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	case ssh.KeyAlgoRSA:
		return usableRSA(public)
	}
	return fmt.Errorf("keys of type %s are not supported", public.Type())
}

func usableRSA(public ssh.PublicKey) error {
	c, ok := public.(ssh.CryptoPublicKey)
	if !ok {
		return errors.New("the size of the RSA key cannot be told")
	}
	key, ok := c.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return errors.New("the size of the RSA key cannot be told")
	}
	return rsaSize(key.N.BitLen())
}

func rsaSize(bits int) error {
	if bits < minRSA || bits > maxRSA {
		return fmt.Errorf("an RSA key of %d bits, where %d to %d are accepted", bits, minRSA, maxRSA)
	}
	return nil
}

// lookSSH verifies an SSH signature. A key on a security token must have seen its user: the library
// refuses a signature without the user-presence flag unless the key was listed with the option
// no-touch-required, which parseSSHPublic does not take.
func (k *Keyring) lookSSH(in Input) finding {
	raw, err := decodeSSH(in.Armour)
	if err != nil {
		return refuse(change.Malformed, err.Error())
	}
	sig, err := sshsig.ParseSignature(raw)
	switch {
	case errors.Is(err, sshsig.ErrUnsupportedHashAlgorithm), errors.Is(err, sshsig.ErrUnsupportedSignatureVersion):
		return refuse(change.Unsupported, "only version 1 with SHA-256 or SHA-512 is supported")
	case err != nil:
		return refuse(change.Malformed, "it is not an SSH signature, or one of an unknown kind of key")
	case !bytes.Equal(sig.Marshal(), raw):
		return refuse(change.Malformed, "it holds more than a signature")
	}
	f := finding{fingerprint: ssh.FingerprintSHA256(sig.PublicKey)}
	if _, ok := sig.PublicKey.(*ssh.Certificate); ok {
		f.state, f.detail = change.Unsupported, "SSH certificates are not supported"
		return f
	}
	key, ok := k.ssh[string(sig.PublicKey.Marshal())]
	if f.state, f.detail = checkSSH(key, ok, sig, in); f.state != change.Good {
		return f
	}
	return settle(&key.holder, key.fingerprint, []time.Time{in.ClaimedAt}, in.FirstSeen)
}

func checkSSH(key *sshKey, known bool, sig *sshsig.Signature, in Input) (change.SignatureState, string) {
	switch {
	case sig.Namespace != in.Namespace:
		return change.BadSignature, fmt.Sprintf("it was made for another purpose than %q", in.Namespace)
	case !known:
		return change.UnknownKey, "the key belongs to nobody"
	case key.shared:
		return change.UnknownKey, "two principals list the key, so it belongs to neither"
	case !strings.HasPrefix(key.public.Type(), "sk-") && len(sig.Signature.Rest) > 0:
		return change.Malformed, "it holds more than a signature"
	}
	if err := sshsig.Verify(bytes.NewReader(in.Payload), sig, key.public, sig.HashAlgorithm, in.Namespace); err != nil {
		return change.BadSignature, "it does not verify over these bytes"
	}
	return change.Good, ""
}
