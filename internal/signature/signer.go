package signature

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeyFile is the most that a key file may measure.
const maxKeyFile = 1 << 20

var errNoPassphrase = errors.New("the key is protected by a passphrase and there is none")

// Signer signs with one person's key. It never prints its key; a zero Signer signs nothing.
type Signer struct {
	fingerprint string
	sign        func(namespace string, payload []byte) ([]byte, error)
}

// Sign makes one armoured signature over payload for a namespace. Keyring.Verify reads it.
func (s Signer) Sign(namespace string, payload []byte) (armour []byte, err error) {
	if s.sign == nil || namespace == "" {
		return nil, errors.New("signing: no key or no namespace")
	}
	if armour, err = s.sign(namespace, payload); err != nil {
		return nil, fmt.Errorf("signing with %s: %w", s.fingerprint, err)
	}
	return armour, nil
}

// Fingerprint is that of the key that signs, as in change.Signature.
func (s Signer) Fingerprint() string { return s.fingerprint }

// String names the key by its fingerprint.
func (s Signer) String() string { return "signer " + s.fingerprint }

// LoadSigner reads a key file: an SSH private key, an armoured OpenPGP secret key, or an SSH public
// key whose private half the agent at SSH_AUTH_SOCK holds (a security token's, for one). Passphrase
// is asked only for a protected key and may be nil; what it returns is overwritten after use.
func LoadSigner(path string, passphrase func() ([]byte, error)) (Signer, error) {
	file, err := readKeyFile(path)
	if err != nil {
		return Signer{}, fmt.Errorf("reading key %q: %w", path, err)
	}
	defer clear(file)
	load := loadSSH
	switch {
	case isArmoured(file, "PGP PRIVATE KEY BLOCK"):
		load = loadOpenPGP
	case !bytes.Contains(file, []byte("-----BEGIN ")):
		load = loadAgent
	}
	s, err := load(file, passphrase)
	if err != nil {
		return Signer{}, fmt.Errorf("loading key %q: %w", path, err)
	}
	return s, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // the path is named once, by the caller
	}
	defer func() { _ = f.Close() }()
	file, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(file) > maxKeyFile {
		err = errors.New("longer than 1 MiB")
	}
	return file, err
}

// ask gets the passphrase.
func ask(passphrase func() ([]byte, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, errNoPassphrase
	}
	return passphrase()
}

func loadSSH(file []byte, passphrase func() ([]byte, error)) (Signer, error) {
	signer, err := ssh.ParsePrivateKey(file)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		secret, askErr := ask(passphrase)
		if askErr != nil {
			return Signer{}, askErr
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(file, secret)
		clear(secret)
	}
	if err != nil {
		return Signer{}, fmt.Errorf("not an SSH private key that this program can use; load it into ssh-agent and name its public key: %w", err)
	}
	return sshSigner(signer)
}

func sshSigner(signer ssh.Signer) (Signer, error) {
	if err := usableSSH(signer.PublicKey()); err != nil {
		return Signer{}, err
	}
	return Signer{
		fingerprint: ssh.FingerprintSHA256(signer.PublicKey()),
		sign:        func(namespace string, payload []byte) ([]byte, error) { return signSSH(signer, namespace, payload) },
	}, nil
}

func signSSH(signer ssh.Signer, namespace string, payload []byte) ([]byte, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, err
	}
	return sshsig.Armor(sig), nil
}

// loadAgent takes a public key and signs through the agent, which is asked anew for each signature.
func loadAgent(file []byte, _ func() ([]byte, error)) (Signer, error) {
	public, err := parseSSHPublic(string(file))
	if err != nil {
		return Signer{}, err
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return Signer{}, errors.New("this is a public key and SSH_AUTH_SOCK names no agent that could hold its private half")
	}
	return Signer{
		fingerprint: ssh.FingerprintSHA256(public),
		sign: func(namespace string, payload []byte) ([]byte, error) {
			return signByAgent(socket, public, namespace, payload)
		},
	}, nil
}

func signByAgent(socket string, public ssh.PublicKey, namespace string, payload []byte) ([]byte, error) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", socket) // local, and answers at once
	if err != nil {
		return nil, fmt.Errorf("reaching the agent: %w", err)
	}
	defer func() { _ = conn.Close() }()
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, fmt.Errorf("asking the agent for its keys: %w", err)
	}
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), public.Marshal()) {
			return signSSH(s, namespace, payload)
		}
	}
	return nil, errors.New("the agent does not hold the key")
}

func loadOpenPGP(file []byte, passphrase func() ([]byte, error)) (Signer, error) {
	entities, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(file))
	if err != nil {
		return Signer{}, fmt.Errorf("not an armoured OpenPGP secret key: %w", err)
	}
	if len(entities) != 1 {
		return Signer{}, errors.New("exactly one OpenPGP key is wanted")
	}
	entity := entities[0]
	key, ok := entity.SigningKey(time.Now(), config())
	if !ok || key.PrivateKey == nil || key.PrivateKey.Dummy() {
		return Signer{}, errors.New("no secret key that may sign today")
	}
	if err := usableOpenPGP(key.PublicKey); err != nil {
		return Signer{}, err
	}
	if key.PrivateKey.Encrypted {
		secret, err := ask(passphrase)
		if err != nil {
			return Signer{}, err
		}
		err = key.PrivateKey.Decrypt(secret)
		clear(secret)
		if err != nil {
			return Signer{}, errors.New("the passphrase does not open the key")
		}
	}
	return Signer{
		fingerprint: fingerprint(key.PublicKey.Fingerprint),
		sign: func(namespace string, payload []byte) ([]byte, error) {
			return signOpenPGP(entity, key.PublicKey.KeyId, namespace, payload)
		},
	}, nil
}

func signOpenPGP(entity *openpgp.Entity, keyID uint64, namespace string, payload []byte) ([]byte, error) {
	c := &packet.Config{DefaultHash: crypto.SHA512, SigningKeyId: keyID, Rand: rand.Reader}
	if namespace != GitNamespace {
		c.SignatureNotations = []*packet.Notation{{Name: NamespaceNotation, Value: []byte(namespace), IsHumanReadable: true}}
	}
	var b bytes.Buffer
	if err := openpgp.DetachSign(&b, []*openpgp.Entity{entity}, bytes.NewReader(payload), c); err != nil {
		return nil, err
	}
	return encodeOpenPGP(b.Bytes())
}
