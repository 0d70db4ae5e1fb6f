package canon

import (
	"errors"
	"fmt"
	"io"
)

// MinKey is the least number of bytes of a digest key.
const MinKey = 32

// Key is the secret under which digests are made. Only prover and gate hold it: without it nobody
// can guess a Secret's content from its digest (ruling 1). The zero Key makes no digest.
type Key struct {
	secret string
}

// NewKey is a key of secret's bytes. Less than MinKey bytes is an error.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < MinKey {
		return Key{}, fmt.Errorf("digest key has %d bytes, want at least %d", len(secret), MinKey)
	}
	return Key{secret: string(secret)}, nil
}

var errNoKey = errors.New("no digest key")

// Format keeps the secret out of every log and error, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "digest key (hidden)") }

// MarshalText keeps the secret out of every encoding.
func (Key) MarshalText() ([]byte, error) { return []byte("digest key (hidden)"), nil }
