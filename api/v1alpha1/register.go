package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of Fairway's kinds.
const Group = "fairway.dev"

// GroupVersion is the group and version of the kinds in this package. It is never written to.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// AddToScheme makes the kinds of this package known to s. It never fails for a fresh scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&EnvironmentTier{}, &EnvironmentTierList{},
		&TierBinding{}, &TierBindingList{},
		&Team{}, &TeamList{},
		&Repository{}, &RepositoryList{},
		&ProvenCommit{}, &ProvenCommitList{},
		&Delivery{}, &DeliveryList{},
		&BreakGlass{}, &BreakGlassList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
