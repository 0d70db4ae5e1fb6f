package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// fluxGated: Flux works in a namespace that refuses: status, finalizers, Events. Its own Deployments come
// from Git, and nobody places a Pod beside them.
func fluxGated(l *fluxLab) {
	ctx := l.t.Context()
	merge := l.land("Update Flux\n\nTicket: SHOP-30", map[string]string{"clusters/system/controllers.yaml": fluxDeployments("2")})
	l.ready("system", merge)
	controller := reference("apps/v1", "Deployment", "flux-system", "kustomize-controller")
	live, err := l.get(ctx, controller)
	if err != nil {
		l.t.Fatal(err)
	}
	if image := fmt.Sprint(live.Object["spec"]); !strings.Contains(image, ":2") {
		l.t.Errorf("the Deployment is %s", image)
	}
	l.until("its Pods come", func(ctx context.Context) error {
		pods, err := l.typed.CoreV1().Pods("flux-system").List(ctx, metav1.ListOptions{LabelSelector: "app=kustomize-controller"})
		if err == nil && len(pods.Items) == 0 {
			return fmt.Errorf("there are none")
		}
		return err
	})
	l.refused(l.patch("sara", "kubectl-edit", controller, `{"spec":{"template":{"spec":{"hostNetwork":true}}}}`), "ContentDiffers")
	pod := manifest(l.t, "apiVersion: v1\nkind: Pod\nmetadata: {name: flux, namespace: flux-system}\nspec: {serviceAccountName: kustomize-controller, containers: [{name: a, image: registry.example.com/a}]}\n")
	l.refused(l.apply("sara", "sara", pod), "fairway.dev")
	for user, work := range map[string][]string{
		sourceController:    {"gitrepositories.source.toolkit.fluxcd.io/status", "ocirepositories.source.toolkit.fluxcd.io/status", "gitrepositories.source.toolkit.fluxcd.io"},
		kustomizeController: {"kustomizations.kustomize.toolkit.fluxcd.io/status"},
	} {
		for _, resource := range work {
			of := []string{`"user":"` + user + `"`, `"resource":"` + resource + `"`, `"namespace":"flux-system"`}
			if lines := l.asked(append(of, `"admitted":false`)...); len(lines) > 0 {
				l.t.Errorf("%d requests of Flux about its own work were refused, for example %s", len(lines), lines[0])
			}
			if len(l.asked(append(of, `"admitted":true`)...)) == 0 {
				l.t.Errorf("%s asked for no %s: this shows nothing", user, resource)
			}
		}
	}
}

// fluxAccounts: a Kustomization that names no account acts as the one that the controller is told of.
func fluxAccounts(l *fluxLab) {
	source := manifest(l.t, fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: play}\n"+
		"spec: {interval: 1s, url: %q, ref: {branch: main}}\n", l.git.URL+"/apps.git"))
	l.admitted(l.apply("sara", "sara", source))
	at := func(name, path, more string) *unstructured.Unstructured {
		return manifest(l.t, strings.ReplaceAll(strings.ReplaceAll(kustomization(name, path, more), "namespace: flux-system", "namespace: play"), "1h", "1s"))
	}
	says := func(k *unstructured.Unstructured, word string) {
		l.until(k.GetName()+" says "+word, func(ctx context.Context) error {
			live, err := l.on("sara", k).Get(ctx, k.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if told := conditionIs(live, "Ready", "True"); told == nil || !strings.Contains(told.Error(), word) {
				return fmt.Errorf("its condition: %w", told)
			}
			return nil
		})
	}
	sneak := at("sneak", "shop/sandbox", "  targetNamespace: park\n")
	l.admitted(l.apply("sara", "sara", sneak))
	parked := reference("v1", "ConfigMap", "park", "note")
	l.field(parked, "first", "data", "text")

	if err := l.kustomize.Stop(); err != nil {
		l.t.Fatal(err)
	}
	l.flags = append(l.flags, "--default-service-account=default")
	l.startKustomize()
	merge := l.land("Sneak\n\nTicket: SHOP-31", map[string]string{"shop/sandbox/note.yaml": note("second")})
	says(sneak, "system:serviceaccount:play:default")
	l.ready("shop", merge) // who names an account goes on
	l.field(parked, "first", "data", "text")

	l.admitted(l.on("sara", sneak).Delete(l.t.Context(), "sneak", metav1.DeleteOptions{}))
}

// fluxHub: design 31, §0, 14. The Kustomization lives in another cluster; the proofs are here, and they are enough.
func fluxHub(l *fluxLab) {
	ctx := l.t.Context()
	cluster, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			l.t.Error(err)
		}
	})
	hub := &fluxLab{serveLab: &serveLab{t: l.t, cluster: cluster, dir: l.t.TempDir()}, engines: l.engines, git: l.git}
	http, err := rest.HTTPClientFor(cluster.Config)
	if err != nil {
		l.t.Fatal(err)
	}
	if hub.mapper, err = apiutil.NewDynamicRESTMapper(cluster.Config, http); err != nil {
		l.t.Fatal(err)
	}
	hub.installFlux()
	hub.startFlux()
	config, err := l.cluster.ConfigFor(hubFlux, "system:masters")
	if err != nil {
		l.t.Fatal(err)
	}
	file := hub.dir + "/spoke"
	if err := controlplane.WriteKubeconfig(file, config); err != nil {
		l.t.Fatal(err)
	}
	secret := manifest(l.t, reference("v1", "Secret", "flux-system", "spoke"))
	if err := unstructured.SetNestedField(secret.Object, string(read(l.t, file)), "stringData", "value"); err != nil {
		l.t.Fatal(err)
	}
	fleet := l.settledFleet()
	source := manifest(l.t, strings.Split(fleet[rootPath], "---\n")[0])
	for _, object := range []*unstructured.Unstructured{secret, source, manifest(l.t, fleet[hubPath])} {
		l.admitted(hub.apply("admin", "admin", object))
	}
	far := reference("v1", "ConfigMap", "shop", "far-spoke")
	l.field(far, "first", "data", "lit")

	merge, head, err := l.shop.Land(ctx, "sara", "Far away\n\nTicket: SHOP-40", map[string]string{"shop/spoke/lamp.yaml": named("spoke", "second")})
	if err != nil {
		l.t.Fatal(err)
	}
	hub.stuck("spoke", merge, "fairway.dev")
	l.field(far, "first", "data", "lit")
	l.approve(head, "sam", "paula")
	hub.ready("spoke", merge)
	l.field(far, "second", "data", "lit")
	l.refused(l.patch(hubFlux, "kustomize-controller", far, `{"data":{"lit":"free"}}`), "ContentDiffers")
	l.until("the hub's Kustomization is not here", func(ctx context.Context) error {
		if _, err := l.kustomizationNow(ctx, "spoke"); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is"), err)
		}
		return nil
	})
}

// fluxAudited: the audit may read what steers Flux.
func fluxAudited(l *fluxLab) {
	b, err := l.binding(l.t.Context(), "fairway-system", "cluster")
	if err != nil {
		l.t.Fatal(err)
	}
	c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionEnforcing)
	l.t.Logf("the condition is %+v", c)
	if c == nil || strings.Contains(c.Message, "could not be read") || len(l.asked("not accounted for", "cannot list")) > 0 {
		l.t.Errorf("the audit could not read: %+v", c)
	}
}
