package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
)

// doctor forges a Delivery, as a dry run, and tells what became of it. That something else refused it, or
// that nobody answered, says nothing of whether Fairway enforces.
func doctor(ctx context.Context, o cli.DoctorOptions) (cli.Enforcement, error) {
	cluster, err := connect(o.Kubeconfig)
	if err != nil {
		return cli.Enforcement{}, err
	}
	forged := &v1alpha1.Delivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: "doctor"},
		Spec:       v1alpha1.DeliverySpec{Repository: "doctor", Branch: "main", Path: "."},
	}
	err = cluster.client.Create(ctx, forged, client.DryRunAll)
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return cli.Enforcement{Text: "it would have been created"}, nil
	case errors.As(err, &status) && strings.Contains(err.Error(), "fairway.dev\" denied the request"):
		line, _, _ := strings.Cut(status.Status().Message, "\n")
		return cli.Enforcement{Refused: true, Text: line}, nil
	}
	return cli.Enforcement{}, fmt.Errorf("forging a delivery in namespace %q: %w", o.Namespace, err)
}
