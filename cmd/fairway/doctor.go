package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/cli"
)

// doctor forges a ProvenCommit, as a dry run, and tells what became of it. That something else refused it, or
// that nobody answered, says nothing of whether Fairway enforces.
func doctor(ctx context.Context, o cli.DoctorOptions) (cli.Enforcement, error) {
	cluster, err := connect(o.Kubeconfig)
	if err != nil {
		return cli.Enforcement{}, err
	}
	err = cluster.client.Create(ctx, forgedProof(o.Namespace), client.DryRunAll)
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return cli.Enforcement{Text: "it would have been created"}, nil
	case errors.As(err, &status) && strings.Contains(err.Error(), "fairway.dev\" denied the request"):
		line, _, _ := strings.Cut(status.Status().Message, "\n")
		return cli.Enforcement{Refused: true, Text: line}, nil
	}
	return cli.Enforcement{}, fmt.Errorf("forging a proof in namespace %q: %w", o.Namespace, err)
}
