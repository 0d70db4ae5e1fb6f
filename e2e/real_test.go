package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

const realManager = "real-test"

// realLab delivers manifests of other projects to an API server of its own, many at a time, and keeps what
// admission showed of each.
type realLab struct {
	t      *testing.T
	client dynamic.Interface
	typed  kubernetes.Interface
	mapper meta.RESTMapper
	types  *schema.Snapshot
	key    canon.Key

	mu         sync.Mutex
	shown      map[string]seen // by kind, namespace and name
	used       map[string]int  // how often each kind and name came
	namespaces map[string]bool // that are there

	outcome, refused *outcomes
	denied           []string
}

// TestT61RealManifests: what other projects ship is bound as Git holds it, when it is made and when the next
// commit changes it.
func TestT61RealManifests(t *testing.T) {
	corpus, err := readRealCorpus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := newRealLab(t)
	crds, others := l.sorted(sampled(corpus.all))
	l.installKinds(crds)
	l.deliverEach(others[:len(others)-1]...)
	l.deliverEach(others[len(others)-1])

	version, err := l.typed.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kube-apiserver %s; left out:%s", version.GitVersion, &outcomes{counts: corpus.dropped})
	t.Logf("refused by the API server itself:%s", l.refused)
	t.Logf("delivered:%s", l.outcome)
	for _, d := range l.denied {
		t.Error(d)
	}
	if n := l.outcome.counts["created and bound"]; n < 2000 {
		t.Errorf("%d distinct manifests were made, want at least 2000", n)
	}
}

func newRealLab(t *testing.T) *realLab {
	t.Helper()
	// Room for as many services, and what a cluster allows that does not look at pods itself.
	options := controlplane.Options{ExtraAPIServerArgs: []string{"--service-cluster-ip-range=10.0.0.0/16", "--allow-privileged=true"}}
	cluster, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	l := &realLab{t: t, shown: map[string]seen{}, used: map[string]int{}, namespaces: map[string]bool{}, outcome: newOutcomes(), refused: newOutcomes()}
	if l.key, err = canon.NewKey([]byte(strings.Repeat("k", canon.MinKey))); err != nil {
		t.Fatal(err)
	}
	cfg, err := cluster.ConfigFor(realManager, "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	if l.client, err = dynamic.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if l.typed, err = kubernetes.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	l.watch(cluster)
	l.readKinds()
	return l
}

// watch installs the webhook that is shown what the lab sends.
func (l *realLab) watch(c *controlplane.Cluster) {
	l.t.Helper()
	pair, err := c.ServingPair()
	if err != nil {
		l.t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(l.review))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	l.t.Cleanup(srv.Close)
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "real"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "see.real.example", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new(srv.URL), CABundle: pair.CA},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
			}},
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "lab", Expression: "request.userInfo.username == '" + realManager + "'"}},
			SideEffects:     new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if _, err := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(l.t.Context(), hook, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "probe", "namespace": "default"}}}
	configMaps := l.client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace("default")
	awaitThat(l.t, "the webhook", func(ctx context.Context) bool {
		_, err := configMaps.Apply(ctx, "probe", probe, metav1.ApplyOptions{FieldManager: realManager, Force: true, DryRun: []string{metav1.DryRunAll}})
		_, shown := l.take("/ConfigMap default/probe")
		return err == nil && shown
	})
}

// review answers the webhook, and keeps what it was shown.
func (l *realLab) review(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in := admissionv1.AdmissionReview{}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || in.Request == nil {
		http.Error(w, "not a review", http.StatusBadRequest)
		return
	}
	q := in.Request
	l.mu.Lock()
	l.shown[q.Kind.Group+"/"+q.Kind.Kind+" "+q.Namespace+"/"+q.Name] = seen{
		change.Operation(q.Operation), change.Kind{Group: q.Kind.Group, Version: q.Kind.Version, Kind: q.Kind.Kind}, q.Object.Raw, q.OldObject.Raw,
	}
	l.mu.Unlock()
	in.Request, in.Response = nil, &admissionv1.AdmissionResponse{UID: q.UID, Allowed: true}
	_ = json.NewEncoder(w).Encode(in) // the API server says so if it did not arrive
}

// take is what was shown of an object last, once.
func (l *realLab) take(key string) (seen, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.shown[key]
	delete(l.shown, key)
	return s, ok
}

// readKinds learns the kinds of the cluster as Fairway does: the built-in ones, and those of the live definitions.
func (l *realLab) readKinds() {
	l.t.Helper()
	l.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(l.typed.Discovery().(*discovery.DiscoveryClient)))
	list, err := l.client.Resource(crdResource).List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	var live []*apiextensionsv1.CustomResourceDefinition
	for _, u := range list.Items {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, crd); err != nil {
			l.t.Fatal(err)
		}
		live = append(live, crd)
	}
	custom, err := schema.FromCRDs(live...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.types = schema.BuiltIn().Over(custom)
}

var crdResource = apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions")

// sorted are the definitions of custom kinds, each once, and all else in the order in which it is applied: what
// others need first, and what restricts others last.
func (l *realLab) sorted(all []realManifest) (crds []realManifest, others [3][]realManifest) {
	defined := map[string]bool{}
	for _, m := range all {
		u := &unstructured.Unstructured{Object: m.object}
		switch u.GetKind() {
		case "CustomResourceDefinition":
			if defined[u.GetName()] {
				l.outcome.add("left out: a second definition of a custom kind", 1)
				continue
			}
			defined[u.GetName()] = true
			crds = append(crds, m)
		case "Namespace", "PriorityClass", "RuntimeClass", "StorageClass", "IngressClass":
			others[0] = append(others[0], m)
		case "ResourceQuota", "LimitRange":
			others[2] = append(others[2], m)
		default:
			others[1] = append(others[1], m)
		}
	}
	return crds, others
}

// installKinds delivers the definitions, and returns when what they define is served. Their operators do not run
// here, so none of them converts.
func (l *realLab) installKinds(crds []realManifest) {
	l.t.Helper()
	for _, m := range crds {
		unstructured.RemoveNestedField(m.object, "spec", "conversion")
	}
	l.deliverEach(crds)
	err := wait.PollUntilContextTimeout(l.t.Context(), time.Second, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := l.client.Resource(crdResource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(list.Items, func(u unstructured.Unstructured) bool { return !served(&u) }), nil
	})
	if err != nil {
		l.t.Fatalf("waiting for the custom kinds: %v", err)
	}
	l.readKinds()
}
