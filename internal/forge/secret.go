package forge

import (
	"fmt"
	"io"
)

// Secret is a token or a webhook's secret. It never prints itself, not even as a part of something
// that is printed (threat T-38).
type Secret struct {
	value func() string // behind a function, which every verb of fmt shows as an address
}

// NewSecret hides a value.
func NewSecret(value string) Secret { return Secret{func() string { return value }} }

// IsZero reports whether there is no secret, or an empty one.
func (s Secret) IsZero() bool { return s.value == nil || s.value() == "" }

func (s Secret) reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// String hides the secret.
func (s Secret) String() string { return "(secret)" }

// Format is String, so that no verb of fmt shows the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides the secret from every encoder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
