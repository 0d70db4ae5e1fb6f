package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvs "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/origin"
)

// TestT61RealManifestsThroughFairway delivers what other projects ship through Git, the prover, the API server and
// the gate of the whole program: what the API server takes is admitted, as it is made and as the next commit labels
// it. With that label and no commit that has it, none is.
func TestT61RealManifestsThroughFairway(t *testing.T) {
	all, err := readRealCorpus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	options := controlplane.Options{ExtraAPIServerArgs: []string{"--service-cluster-ip-range=10.0.0.0/16", "--allow-privileged=true"}}
	l := &equalityLab{serveLab: newServeLabOn(t, options, (*serveLab).serve)}
	l.deployer = l.as("deployer")
	left := newOutcomes()
	corpus := l.takenByServer(all.all, left)
	kinds, fields := corpus.variety()
	t.Logf("%d manifests of %d kinds, which set %d different fields; left out:%s", len(corpus.all()), kinds, fields, left)
	if len(corpus.all()) < 250 {
		t.Errorf("%d manifests are delivered, want at least 250", len(corpus.all()))
	}

	l.seal()
	l.landReal(corpus, "Add what others ship\n\nTicket: SHOP-32")
	t.Logf("created: %d admitted", l.countEach(corpus, l.admittedReal))
	for _, m := range corpus.all() {
		u := &unstructured.Unstructured{Object: m}
		u.SetLabels(merged(u.GetLabels(), "real.example/through", "2"))
	}
	t.Logf("changed without a commit: %d refused", l.countEach(corpus, l.refusedReal))
	l.landReal(corpus, "Label what others ship\n\nTicket: SHOP-33")
	t.Logf("updated: %d admitted", l.countEach(corpus, l.admittedReal))
}

// takenByServer are the manifests that the API server takes, of the shop and of the cluster, each under a name of
// its own, with the definitions of their kinds installed: every 20th; FAIRWAY_REAL=all takes all.
func (l *equalityLab) takenByServer(all []realManifest, left *outcomes) (c equalityCorpus) {
	l.t.Helper()
	var chosen []*unstructured.Unstructured
	names := map[string]bool{"Service kubernetes": true} // the API server's own, where they are tried
	for i, m := range all {
		u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m.object)}
		if os.Getenv("FAIRWAY_REAL") != "all" && i%20 != 0 {
			continue
		}
		if why := undelivered(u); why != "" {
			left.add(why, 1)
			continue
		}
		kind := u.GroupVersionKind().GroupKind().String()
		if names[kind+" "+u.GetName()] {
			u.SetName(fmt.Sprintf("%s-n%d", u.GetName(), i))
		}
		names[kind+" "+u.GetName()] = true
		chosen = append(chosen, u)
	}
	l.defineKinds(all, chosen)
	why := make([]string, len(chosen))
	eachAtOnce(chosen, func(i int, u *unstructured.Unstructured) { why[i] = l.try(u) })
	for i, u := range chosen {
		switch {
		case why[i] != "":
			left.add(why[i], 1)
		case u.GetNamespace() == "":
			c.cluster = append(c.cluster, u.Object)
		default:
			c.namespaced = append(c.namespaced, u.Object)
		}
	}
	return c
}

// undelivered says why a manifest is no case for this test; empty: it is one.
func undelivered(u *unstructured.Unstructured) string {
	gk := u.GroupVersionKind().GroupKind()
	_, encrypted := u.Object["sops"]
	notes := u.GetAnnotations()
	switch {
	case encrypted:
		return "encrypted with SOPS, which no source renders"
	case u.GetGenerateName() != "":
		return "with metadata.generateName, which no source renders"
	case notes["argocd.argoproj.io/tracking-id"] != "" || (notes["meta.helm.sh/release-name"] == "") != (notes["meta.helm.sh/release-namespace"] == ""):
		return "copied with the marks that Argo CD or Helm put on another object"
	case u.GetResourceVersion() != "":
		return "copied with its resourceVersion, which the API server takes once"
	case origin.Chained(gk.Group, gk.Kind):
		return "steers Argo CD or Flux, and is judged by each tier that it reaches"
	case gk.Group == "admissionregistration.k8s.io" || gk.Kind == "CustomResourceDefinition" || gk.Kind == "APIService" || gk.Kind == "Namespace":
		return "changes what the cluster serves or admits"
	case gk.Kind == "Lease" || restricts(gk.Kind):
		return "is exempt, or restricts what comes after it"
	}
	return unbindable(u)
}

// defineKinds installs the definitions of the custom kinds that are needed, without their converters, which do not
// run here, and returns when they are served. What the API server refuses is left out.
func (l *equalityLab) defineKinds(all []realManifest, needed []*unstructured.Unstructured) {
	l.t.Helper()
	need := map[string]bool{}
	for _, u := range needed {
		need[u.GroupVersionKind().GroupKind().String()] = true
	}
	var definitions []*unstructured.Unstructured
	for _, m := range all {
		group, _, _ := unstructured.NestedString(m.object, "spec", "group")
		kind, _, _ := unstructured.NestedString(m.object, "spec", "names", "kind")
		key := gvs.GroupKind{Group: group, Kind: kind}.String()
		if m.object["kind"] != "CustomResourceDefinition" || m.object["apiVersion"] != "apiextensions.k8s.io/v1" || !need[key] {
			continue
		}
		delete(need, key)
		crd := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m.object)}
		unstructured.RemoveNestedField(crd.Object, "spec", "conversion")
		definitions = append(definitions, crd)
	}
	client := l.as("admin").Resource(crdResource)
	eachAtOnce(definitions, func(_ int, crd *unstructured.Unstructured) {
		if _, err := client.Apply(l.t.Context(), crd.GetName(), crd, metav1.ApplyOptions{FieldManager: "admin", Force: true}); err != nil {
			l.t.Logf("not installed: %s: %.200s", crd.GetName(), err)
		}
	})
	l.until("the custom kinds are served", func(ctx context.Context) error {
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, crd := range list.Items {
			group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
			if _, err := l.mapper.RESTMapping(gvs.GroupKind{Group: group, Kind: kind}); err != nil || !served(&crd) {
				return fmt.Errorf("%s is not served: %w", crd.GetName(), err)
			}
		}
		return nil
	})
}

// try has the API server say whether it takes an object, and puts it where it belongs. It returns why not.
func (l *equalityLab) try(u *unstructured.Unstructured) (why string) {
	gvk := u.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return "of a kind that the API server does not serve"
	}
	if err != nil {
		l.t.Error(err)
		return "of a kind that nobody could look up"
	}
	u.SetNamespace("")
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		u.SetNamespace("default") // which nobody guards
	}
	answer := error(nil)
	_ = wait.PollUntilContextTimeout(l.t.Context(), 100*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		_, answer = l.applied(ctx, u) // a kind that was defined a moment ago is not found at times
		return !apierrors.IsNotFound(answer) && !apierrors.IsTooManyRequests(answer), nil
	})
	if answer != nil {
		return "refused by the API server: " + string(apierrors.ReasonForError(answer))
	}
	if u.GetNamespace() != "" {
		u.SetNamespace("shop")
	}
	return ""
}

// landReal merges the manifests, approved, some in each file, and returns when they are proven for the namespace
// and the cluster.
func (l *equalityLab) landReal(c equalityCorpus, message string) {
	l.t.Helper()
	files := map[string]string{story.WebPath: "", story.BannerPath: ""}
	for path, manifests := range map[string][]map[string]any{"shop/production/real-%d.yaml": c.namespaced, "clusters/main/real-%d.yaml": c.cluster} {
		n := 0
		for part := range slices.Chunk(manifests, 500) {
			files[fmt.Sprintf(path, n)] = file(l.t, part)
			n++
		}
	}
	l.commit = l.land(message, files)
	l.judged("shop", "tier", l.commit, v1alpha1.VerdictAllow)
	l.judged("fairway-system", "cluster", l.commit, v1alpha1.VerdictAllow)
}

// countEach asks about every manifest, as the pipeline delivers it, those of the namespace first, and counts the
// good answers. Others fail the test.
func (l *equalityLab) countEach(c equalityCorpus, ask func(*unstructured.Unstructured) error) int {
	var good atomic.Int64
	for _, group := range [][]map[string]any{c.namespaced, c.cluster} {
		eachAtOnce(group, func(_ int, m map[string]any) {
			if err := ask(l.stampedObject(m)); err != nil {
				l.t.Errorf("%s: %v", titleOf(m), err)
				return
			}
			good.Add(1)
		})
	}
	return int(good.Load())
}

// admittedReal delivers an object.
func (l *equalityLab) admittedReal(u *unstructured.Unstructured) error {
	_, err := l.resource(u).Apply(l.t.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "deployer", Force: true})
	return err
}

// refusedReal delivers an object that is not what its commit says, as a dry run, and returns an error unless Fairway
// refuses it.
func (l *equalityLab) refusedReal(u *unstructured.Unstructured) error {
	_, err := l.applied(l.t.Context(), u)
	switch {
	case err == nil:
		return errors.New("admitted although it differs from Git")
	case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "fairway.dev"):
		return fmt.Errorf("not refused by Fairway: %w", err)
	}
	return nil
}

// eachAtOnce calls with every item, some at a time.
func eachAtOnce[T any](items []T, call func(i int, item T)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, senders)
	for i, item := range items {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			call(i, item)
		})
	}
	group.Wait()
}
