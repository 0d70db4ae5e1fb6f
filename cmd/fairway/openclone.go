package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// openClone opens the clone that somebody works in.
func openClone(ctx context.Context, dir string) (*gitrepo.Repo, error) {
	repo, err := gitrepo.OpenClone(ctx, dir, gitrepo.Limits{})
	if err != nil {
		return nil, mistaken(fmt.Errorf("%w; name the clone with -C", err))
	}
	return repo, nil
}

// unknownName is why what somebody called a revision could not be looked up.
func unknownName(name string, err error) error {
	err = fmt.Errorf("looking up %q: %w", name, err)
	if errors.Is(err, gitrepo.ErrNotFound) {
		return mistaken(err)
	}
	return err
}
