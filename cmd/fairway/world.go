package main

import (
	"context"
	"errors"
	"fmt"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/store"
)

// readKinds reads the kinds of an install once: from a directory, or else from a cluster.
func readKinds(ctx context.Context, dir, kubeconfig string) (store.Kinds, error) {
	if dir != "" {
		kinds, err := store.ReadDir(dir)
		if err != nil {
			return store.Kinds{}, mistaken(err)
		}
		return kinds, nil
	}
	cluster, err := ask(kubeconfig)
	if errors.Is(err, errNobodyToAsk) {
		return store.Kinds{}, mistaken(fmt.Errorf("%w; or a directory of YAML files with --dir", err))
	}
	if err != nil {
		return store.Kinds{}, err
	}
	return store.ReadCluster(ctx, cluster.client)
}

// knownKinds are the kinds that this program reads and writes by their Go types.
func knownKinds() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, openreports.Install} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	return scheme, nil
}

// systemOf are the system namespaces of an install, which its webhook configuration tells. To somebody who may not
// read that, and where it does not say, they are those of every cluster.
func systemOf(ctx context.Context, c client.Reader) []string {
	var configs admissionv1.ValidatingWebhookConfigurationList
	if err := c.List(ctx, &configs); err != nil {
		return cli.SystemNamespaces()
	}
	for i := range configs.Items {
		if namespaces, said := controller.SystemOf(&configs.Items[i]); said {
			return namespaces
		}
	}
	return cli.SystemNamespaces()
}
