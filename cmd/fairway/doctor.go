package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/cli"
)

// doctor forges a ProvenCommit, as a dry run, and tells what became of it. That something else refused it, or
// that nobody answered, says nothing of whether Fairway enforces.
func doctor(ctx context.Context, o cli.DoctorOptions) (cli.Enforcement, error) {
	cluster, err := ask(o.Kubeconfig)
	if err != nil {
		return cli.Enforcement{}, err
	}
	c, err := asProver(ctx, cluster, o.Namespace)
	if err != nil {
		return cli.Enforcement{}, err
	}
	err = c.Create(ctx, forgedProof(o.Namespace), client.DryRunAll)
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

// asProver is a client that the shipped policies let by, since they would refuse a forgery before any gate
// is asked: that of the prover's account, or of whoever may impersonate it.
func asProver(ctx context.Context, cluster *connection, namespace string) (client.Client, error) {
	prover := "system:serviceaccount:" + namespace + ":fairway-prover"
	me, _, err := whoAmI(ctx, cluster.typed)
	if err != nil || me == prover {
		return cluster.client, err
	}
	config := rest.CopyConfig(cluster.config)
	config.Impersonate.UserName = prover
	c, err := client.New(config, client.Options{Scheme: cluster.client.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("impersonating %s: %w", prover, err)
	}
	return c, nil
}
