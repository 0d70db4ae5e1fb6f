package main

import (
	"context"
	"errors"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/internal/cli"
)

// serveCluster serves from a cluster's API server.
func serveCluster(context.Context, cli.ServeOptions, logr.Logger) error {
	return errors.New("serving from a cluster is not wired yet; use --dir")
}
