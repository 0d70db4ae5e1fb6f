package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/store"
)

// readKinds reads the kinds of an install once: from a directory, or else from a cluster.
func readKinds(ctx context.Context, dir, kubeconfig string) (store.Kinds, error) {
	if dir != "" {
		return store.ReadDir(dir)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return store.Kinds{}, fmt.Errorf("reading kubeconfig %q: %w", kubeconfig, err)
	}
	scheme, err := knownKinds()
	if err != nil {
		return store.Kinds{}, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return store.Kinds{}, fmt.Errorf("reaching the cluster: %w", err)
	}
	var (
		tiers        v1alpha1.EnvironmentTierList
		bindings     v1alpha1.TierBindingList
		teams        v1alpha1.TeamList
		repositories v1alpha1.RepositoryList
		namespaces   corev1.NamespaceList
		crds         apiextensionsv1.CustomResourceDefinitionList
	)
	for _, list := range []client.ObjectList{&tiers, &bindings, &teams, &repositories, &namespaces, &crds} {
		if err := c.List(ctx, list); err != nil {
			return store.Kinds{}, fmt.Errorf("listing what decides: %w", err)
		}
	}
	return store.Kinds{
		Tiers: tiers.Items, Bindings: bindings.Items, Teams: teams.Items, Repositories: repositories.Items,
		Namespaces: namespaces.Items, CRDs: crds.Items,
	}, nil
}

// knownKinds are the kinds that this program reads and writes by their Go types.
func knownKinds() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	return scheme, nil
}
