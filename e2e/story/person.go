// Package story makes the worlds that demos and tests play in: people with real SSH keys, a real
// git repository with signed commits, branches and merges, and the AdmissionReviews that an API
// server would send for what an engine or a person does. It needs git and nothing else.
//
// It fails by returning an error; what it made until then stays in the folder it was given.
package story

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Person is somebody with an SSH signing key.
type Person struct {
	Name, Email string
	Team        string
	signer      ssh.Signer
	private     ed25519.PrivateKey
}

// NewPerson makes somebody with a new key, whose address is name@example.com.
func NewPerson(name, team string) (*Person, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", name, err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", name, err)
	}
	return &Person{Name: name, Email: name + "@example.com", Team: team, signer: signer, private: private}, nil
}

// PublicKey is the key as one authorized_keys line without its line end.
func (p *Person) PublicKey() string {
	line := ssh.MarshalAuthorizedKey(p.signer.PublicKey())
	return string(line[:len(line)-1]) + " " + p.Email
}

// WriteKey writes the private key, in OpenSSH's format and without passphrase, to a file of mode 0600.
func (p *Person) WriteKey(path string) error {
	block, err := ssh.MarshalPrivateKey(p.private, p.Email)
	if err != nil {
		return fmt.Errorf("encoding the key of %s: %w", p.Name, err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return fmt.Errorf("writing the key of %s: %w", p.Name, err)
	}
	return nil
}

// sign is the armoured SSH signature of a payload in a namespace.
func (p *Person) sign(namespace string, payload []byte) ([]byte, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), p.signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fmt.Errorf("signing as %s: %w", p.Name, err)
	}
	return sshsig.Armor(sig), nil
}

// Fingerprint is that of the key, as ssh-keygen -l prints it.
func (p *Person) Fingerprint() string { return ssh.FingerprintSHA256(p.signer.PublicKey()) }
