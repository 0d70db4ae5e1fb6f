package cli

import (
	"time"

	"github.com/spf13/pflag"
)

// RotateOptions say what a prover makes where nobody else makes the serving certificate of gates.
type RotateOptions struct {
	Secret    string        // that gates mount; empty: somebody else makes it
	Name      string        // name or address under which gates are called
	Serving   time.Duration // life of a serving certificate
	Authority time.Duration // life of an authority
	Check     time.Duration // time between two looks
}

func rotateFlags(f *pflag.FlagSet, o *RotateOptions) {
	f.StringVar(&o.Secret, "rotate-secret", "", "Secret in which the serving certificate of gates is made and rotated; empty: somebody else does")
	f.StringVar(&o.Name, "rotate-name", "", "name or address under which API servers call gates")
	f.DurationVar(&o.Serving, "rotate-every", 720*time.Hour, "life of a serving certificate; it is renewed after two thirds")
	f.DurationVar(&o.Authority, "rotate-authority", 8760*time.Hour, "life of an authority; its successor is announced after two thirds")
	f.DurationVar(&o.Check, "rotate-check", 15*time.Second, "time between two looks at the certificates; a successor signs two looks after it is known")
}
