package e2e

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// equalityLab is a sealed install with the corpus in its repository.
type equalityLab struct {
	*serveLab
	deployer dynamic.Interface
	commit   string

	mu    sync.Mutex
	score score
}

// score counts what became of the mutants.
type score struct {
	sent, invalid, takenBack, hollow, refused int
	admitted                                  []string
}

// TestEqualitySurvivesReality delivers a corpus of manifests of many kinds through Git, the prover, the
// real API server and the gate: every one of them is admitted, as it is created (T-61) and as it is
// updated, and of the copies that differ from it in one field none is (T-01).
func TestEqualitySurvivesReality(t *testing.T) {
	l := &equalityLab{serveLab: newServeLabOn(t, controlplane.Options{}, (*serveLab).serve)}
	l.deployer = l.as("deployer")
	l.customKinds()
	corpus := l.newEqualityCorpus()
	kinds, fields := corpus.variety()
	manifests := corpus.all()
	t.Logf("corpus: %d manifests of %d kinds, which set %d different fields", len(manifests), kinds, fields)
	if len(manifests) < 300 {
		t.Errorf("the corpus has %d manifests, want at least 300", len(manifests))
	}
	l.installMesh()
	l.seal()
	l.landCorpus(corpus, "Add everything\n\nTicket: SHOP-30")

	l.meshIsTolerated()
	l.nullKeysBreak()
	denied := l.deliverAll(manifests, true)
	t.Logf("created: %d admitted, %d denied", len(manifests)-denied, denied)
	t.Logf("mutants: %d sent, %d that the API server itself refused, %d of which it kept nothing, %d that differ in an empty list alone, %d refused by Fairway, %d admitted",
		l.score.sent, l.score.invalid, l.score.takenBack, l.score.hollow, l.score.refused, len(l.score.admitted))
	slices.Sort(l.score.admitted)
	for _, m := range l.score.admitted {
		t.Errorf("admitted although it differs from Git: %s", m)
	}
	if l.score.refused < 2000 {
		t.Errorf("only %d mutants were refused by Fairway, too few to prove anything", l.score.refused)
	}

	for _, m := range manifests {
		u := &unstructured.Unstructured{Object: m}
		u.SetLabels(merged(u.GetLabels(), "release", "2"))
	}
	l.landCorpus(corpus, "Label everything\n\nTicket: SHOP-31")
	denied = l.deliverAll(manifests, false)
	t.Logf("updated: %d admitted, %d denied", len(manifests)-denied, denied)
}

// customKinds installs the custom kinds of the corpus, before Fairway guards such things.
func (l *equalityLab) customKinds() {
	l.t.Helper()
	for _, path := range []string{filepath.Join(equalityFolder, "crds.yaml"), filepath.Join(bindingFolder, "crds.yaml")} {
		for _, m := range yamlDocuments(l.t, path) {
			crd := &unstructured.Unstructured{Object: m}
			l.admitted(l.apply("admin", "admin", crd))
			l.until("a custom kind is served", func(ctx context.Context) error {
				live, err := l.on("admin", crd).Get(ctx, crd.GetName(), metav1.GetOptions{})
				if err != nil {
					return err
				}
				if !served(live) {
					return errors.New("it is not established")
				}
				return nil
			})
		}
	}
}

// landCorpus merges the corpus, approved, and returns when it is proven for the namespace and the cluster.
func (l *equalityLab) landCorpus(c equalityCorpus, message string) {
	l.t.Helper()
	l.commit = l.land(message, map[string]string{
		story.WebPath: "", story.BannerPath: "",
		"shop/production/meshed.yaml": meshed, "shop/mesh/meshed.yaml": meshed,
		"shop/production/corpus.yaml": file(l.t, c.namespaced), "clusters/main/corpus.yaml": file(l.t, c.cluster),
	})
	l.judged("shop", "tier", l.commit, v1alpha1.VerdictAllow)
	l.judged("fairway-system", "cluster", l.commit, v1alpha1.VerdictAllow)
}

// deliverAll applies every manifest and returns how many were denied. Where it is told to, it tries the
// mutants of each: as something new before the object is there, and as an update of it afterwards.
func (l *equalityLab) deliverAll(manifests []map[string]any, mutate bool) (denied int) {
	l.t.Helper()
	donors := map[string][]map[string]any{}
	for _, m := range manifests {
		kind := m["kind"].(string)
		donors[kind] = append(donors[kind], m)
	}
	applied, updated := &sieve{map[string]int{}, mutantsOfAField()}, &sieve{map[string]int{}, mutantsOfAField()}
	for _, m := range manifests {
		u := l.stampedObject(m)
		if mutate {
			l.tryMutants(u, donors[u.GetKind()], applied, l.applied)
		}
		live, err := l.resource(u).Apply(l.t.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "deployer", Force: true})
		if err != nil {
			denied++
			l.t.Errorf("%s is not admitted: %v", titleOf(m), err)
			continue
		}
		if mutate {
			live = l.settled(live)
			live.SetManagedFields(nil)
			l.tryMutants(live, donors[u.GetKind()], updated, l.updated)
		}
	}
	return denied
}

// settled is a live object once the API server has done with it: it writes the status of a custom kind
// itself, some times, and an update of what was there before would be stale.
func (l *equalityLab) settled(live *unstructured.Unstructured) *unstructured.Unstructured {
	l.t.Helper()
	if live.GetKind() != "CustomResourceDefinition" {
		return live
	}
	l.until("the custom kind is served", func(ctx context.Context) error {
		now, err := l.resource(live).Get(ctx, live.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		before := live
		if live = now; before.GetResourceVersion() != now.GetResourceVersion() || !served(now) {
			return errors.New("it is still being written")
		}
		return nil
	})
	return live
}

// served reports whether a custom kind is served.
func served(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		m, _ := c.(map[string]any)
		return m["type"] == "Established" && m["status"] == "True"
	})
}

// mutantsOfAField is how often the same change of the same field of a kind is tried:
// FAIRWAY_MUTANTS=all tries each on each object.
func mutantsOfAField() int {
	if os.Getenv("FAIRWAY_MUTANTS") == "all" {
		return 1 << 30
	}
	return 1
}

// stampedObject is a manifest of the corpus as the pipeline delivers it.
func (l *equalityLab) stampedObject(m map[string]any) *unstructured.Unstructured {
	source := "shop"
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m)}
	if u.GetNamespace() == "" {
		source = "fleet"
	}
	notes := map[string]string{"fairway.dev/repository": "apps", "fairway.dev/commit": l.commit, "fairway.dev/source": source}
	maps.Copy(notes, u.GetAnnotations())
	u.SetAnnotations(notes)
	return u
}

// resource is the deployer's client for an object.
func (l *equalityLab) resource(u *unstructured.Unstructured) dynamic.ResourceInterface {
	gvk := u.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		l.t.Error(err)
		return nil
	}
	if u.GetNamespace() == "" {
		return l.deployer.Resource(mapping.Resource)
	}
	return l.deployer.Resource(mapping.Resource).Namespace(u.GetNamespace())
}

// write sends an object, dry run, and returns what would be stored.
type write func(ctx context.Context, u *unstructured.Unstructured) (*unstructured.Unstructured, error)

// applied writes as Git's engine does.
func (l *equalityLab) applied(ctx context.Context, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return l.resource(u).Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "deployer", Force: true, DryRun: []string{metav1.DryRunAll}})
}

// updated writes the live object with a change in it, under the name of Git's engine.
func (l *equalityLab) updated(ctx context.Context, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return l.resource(u).Update(ctx, u, metav1.UpdateOptions{FieldManager: "deployer", DryRun: []string{metav1.DryRunAll}})
}

// senders is how many mutants are under way at a time.
const senders = 8

// tryMutants sends the mutants of an object, each dry run, and books what became of them.
func (l *equalityLab) tryMutants(u *unstructured.Unstructured, donors []map[string]any, s *sieve, send write) {
	l.t.Helper()
	made, how := u.GetUID() == "", "updated"
	if made {
		how = "applied"
	}
	ctx, title := l.t.Context(), titleOf(u.Object)
	original, err := send(ctx, u.DeepCopy())
	if !made && apierrors.IsConflict(err) { // its controller has written its status since it was read
		if u, err = l.resource(u).Get(ctx, u.GetName(), metav1.GetOptions{}); err == nil {
			original, err = send(ctx, u.DeepCopy())
		}
	}
	if err != nil {
		l.t.Errorf("%s is not %s as it is: %v", title, how, err)
		return
	}
	var worth []variant
	for _, v := range mutants(u.Object, donors) {
		if !strings.Contains(v.what, "fairway.dev/") && s.new(u.Object, how, v.what) {
			worth = append(worth, v)
		}
	}
	want := said(original, made)
	var group sync.WaitGroup
	slots := make(chan struct{}, senders)
	for _, v := range worth {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			got, err := send(l.t.Context(), &unstructured.Unstructured{Object: v.object})
			is := ""
			if err == nil {
				is = said(got, made)
			}
			l.book(titleOf(u.Object)+" "+how+" "+v.what, want, is, err)
		})
	}
	group.Wait()
}

// book notes what became of a mutant, of which the API server made what is said.
func (l *equalityLab) book(what, want, is string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.score.sent++
	switch {
	case err == nil && is == want:
		l.score.takenBack++
	case err == nil && hollow(is) == hollow(want):
		l.score.hollow++
	case err == nil:
		l.score.admitted = append(l.score.admitted, what)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "fairway.dev"):
		l.score.refused++
	case strings.Contains(err.Error(), "fairway.dev"):
		l.t.Errorf("%s: neither admitted nor refused: %v", what, err)
	default:
		l.score.invalid++
	}
}
