package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairway-dev/fairway/internal/cli"
)

const (
	// leastStaleness is the least that may be asked of how new everything is: watches that are begun
	// anew more often than every few seconds would be load for its own sake.
	leastStaleness = 10 * time.Second
	// usualSilence is above what API servers let pass between two bookmarks.
	usualSilence = 150 * time.Second
)

// silence is how long a watch may say nothing before it is begun anew: several times before what it told
// is too old to judge by.
func silence(o cli.ServeOptions) time.Duration {
	if o.MaxStaleness == 0 {
		return usualSilence // a prover judges no requests
	}
	return min(o.MaxStaleness/4, usualSilence)
}

// consult keeps asking whether the API server reaches its store.
func (in *install) consult(ctx context.Context) error {
	return in.hearing.Consult(ctx, func(ctx context.Context) error {
		_, err := in.cluster.clusterID(ctx)
		return err
	})
}

// fit says why reviews had better go to another gate: this one is cut off.
func (in *install) fit() error {
	if age := in.hearing.Age(); age > in.o.MaxStaleness {
		return fmt.Errorf("the API server was last heard %s ago", age.Round(time.Second))
	}
	return nil
}
