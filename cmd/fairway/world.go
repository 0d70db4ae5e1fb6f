package main

import (
	"context"
	"errors"
	"fmt"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/fairway-dev/fairway/api/v1alpha1"
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
