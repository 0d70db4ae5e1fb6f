package main

import (
	"context"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
)

// audit holds what lives in a cluster against what was proven, in the words of the command line.
func audit(ctx context.Context, o cli.AuditOptions) ([]cli.Audit, error) {
	found, err := auditCluster(ctx, o.Kubeconfig, o.Own, o.Namespace)
	if err != nil {
		return nil, err
	}
	audits := []cli.Audit{}
	for _, a := range found {
		audits = append(audits, cli.Audit{
			Namespace: a.Binding.Namespace, Tier: a.Binding.Tier, At: a.Sweep.At, Bound: len(a.Sweep.Bound), Behind: names(a.Sweep.Behind),
			Drifted: names(a.Sweep.Drifted), Missing: names(a.Sweep.Missing), Inherited: names(a.Sweep.Inherited), Unread: a.Sweep.Unread,
		})
	}
	return audits, nil
}

func names(ids []change.ObjectID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}
