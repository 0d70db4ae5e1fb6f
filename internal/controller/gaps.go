package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// Gaps are the ways to change objects that no gate is asked about, whatever its configuration says:
// APIs that another server than the API server serves, which may ask no webhook; and policies that
// mutate objects, which are shown to no webhook. Sorted. Uncovered tells of the configuration, Policies of
// what guards Fairway itself.
func Gaps(ctx context.Context, c client.Reader) ([]string, error) {
	var gaps []string
	services, err := listOf(ctx, c, schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIServiceList"})
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		if _, aggregated, err := unstructured.NestedMap(s.Object, "spec", "service"); aggregated && err == nil {
			gaps = append(gaps, "the API "+s.GetName()+" is served by another server, which may ask no webhook")
		}
	}
	policies, err := listOf(ctx, c, schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingAdmissionPolicyList"})
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		gaps = append(gaps, "the MutatingAdmissionPolicy "+p.GetName()+" changes objects, and who changes it is no gate's to judge")
	}
	slices.Sort(gaps)
	return gaps, nil
}

// listOf lists objects of a kind; none where the cluster does not know it.
func listOf(ctx context.Context, c client.Reader, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	err := c.List(ctx, list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for gaps: %w", err)
	}
	return list.Items, nil
}

// Gapped notes the gaps that there are.
func (s *Status) Gapped(gaps []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = &gaps
}

func (s *Status) gapsNow() (gaps []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gaps == nil {
		return nil, false
	}
	return *s.gaps, true
}

func coverage(gaps []string) finding {
	if len(gaps) == 0 {
		return finding{v1alpha1.ConditionCoverageGap, false, v1alpha1.ReasonCovered, "a gate is asked about everything that it should be asked about"}
	}
	// The message may be cut; the number never is, and the prover's log has them all.
	return finding{v1alpha1.ConditionCoverageGap, true, v1alpha1.ReasonUnguarded, fmt.Sprintf("%d: %s", len(gaps), strings.Join(gaps, "; "))}
}
