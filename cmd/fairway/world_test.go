package main

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestSystemNamespacesAreThoseOfTheCluster: a look from outside counts by the namespaces that the install was told of,
// or it misses what the cluster binding may bring there.
func TestSystemNamespacesAreThoseOfTheCluster(t *testing.T) {
	hooks := controller.Hooks{Name: "fairway", Service: "fairway-gate", Namespace: "fairway-system", System: []string{"cilium", "fairway-system"}}
	made := controller.Configure(&tier.World{Install: tier.Install{Engines: []string{"flux"}}}, hooks, nil)
	silent := controller.Configure(&tier.World{}, hooks, nil)
	other := &admissionv1.ValidatingWebhookConfiguration{Webhooks: []admissionv1.ValidatingWebhook{{Name: "strict.example.com"}}}
	other.Name = "another"
	for _, test := range []struct {
		name    string
		configs []client.Object
		problem error
		want    []string
	}{
		{"an install with engines", []client.Object{other, made}, nil, hooks.System},
		{"an install without", []client.Object{other, silent}, nil, cli.SystemNamespaces()},
		{"no right to read it", []client.Object{made}, errors.New("forbidden"), cli.SystemNamespaces()},
	} {
		scheme := runtime.NewScheme()
		if err := admissionv1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.configs...).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				return errors.Join(test.problem, c.List(ctx, list, opts...))
			},
		}).Build()
		if diff := cmp.Diff(test.want, systemOf(t.Context(), c)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.name, diff)
		}
	}
}
