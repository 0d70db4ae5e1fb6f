package store

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// ReadCluster reads Fairway's kinds, the metadata of Namespaces, and CustomResourceDefinitions through
// a reader, which may be a cache.
func ReadCluster(ctx context.Context, reader client.Reader) (Kinds, error) {
	var (
		tiers        v1alpha1.EnvironmentTierList
		bindings     v1alpha1.TierBindingList
		teams        v1alpha1.TeamList
		repositories v1alpha1.RepositoryList
		glasses      v1alpha1.BreakGlassList
		crds         apiextensionsv1.CustomResourceDefinitionList
		namespaces   metav1.PartialObjectMetadataList
	)
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	for _, list := range []client.ObjectList{&tiers, &bindings, &teams, &repositories, &glasses, &crds, &namespaces} {
		if err := reader.List(ctx, list); err != nil {
			return Kinds{}, fmt.Errorf("reading %T: %w", list, err)
		}
	}
	k := Kinds{
		Tiers: tiers.Items, Bindings: bindings.Items, Teams: teams.Items, Repositories: repositories.Items,
		BreakGlasses: glasses.Items, CRDs: crds.Items,
	}
	for _, ns := range namespaces.Items {
		k.Namespaces = append(k.Namespaces, corev1.Namespace{ObjectMeta: ns.ObjectMeta})
	}
	return k, nil
}
