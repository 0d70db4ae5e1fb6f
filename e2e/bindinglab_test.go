package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvs "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

const (
	bindingFolder  = "testdata/binding"
	bindingManager = "binding-test"
)

// bindingLab applies manifests to the real API server as a user of its own and keeps what admission
// showed to a webhook. Its methods are not for concurrent use.
type bindingLab struct {
	client          dynamic.Interface
	mapper          *restmapper.DeferredDiscoveryRESTMapper
	schema          *schema.Snapshot // built-in kinds under the cluster's under the CRDs' own
	crds, published *schema.Snapshot // the CRDs' own; all of the cluster's
	key             canon.Key
	ns              string

	mu    sync.Mutex
	last  *seen
	patch string // what the mutating webhook answers with
}

// seen is what a webhook was shown.
type seen struct {
	Operation         change.Operation
	Kind              change.Kind
	Object, OldObject []byte
}

func newBindingLab(t *testing.T) *bindingLab {
	t.Helper()
	c := cluster(t)
	key, err := canon.NewKey([]byte(strings.Repeat("k", canon.MinKey)))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := c.ConfigFor(bindingManager, "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	l := &bindingLab{key: key, ns: c.Namespace(t, nil)}
	if l.client, err = dynamic.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	l.crds = l.installCRDs(t)
	l.published = publishedKinds(t, d)
	l.schema = schema.BuiltIn().Over(l.published).Over(l.crds)
	l.watch(t, c)
	return l
}

// publishedKinds reads the cluster's OpenAPI until it holds the custom kinds: the API server publishes
// them some time after it serves them.
func publishedKinds(t *testing.T, d *discovery.DiscoveryClient) (s *schema.Snapshot) {
	t.Helper()
	awaitThat(t, "the custom kinds in the cluster's OpenAPI", func(context.Context) bool {
		var err error
		s, err = schema.FromCluster(openapi3.NewRoot(d.OpenAPIV3()))
		_, widget := s.Type(change.Kind{Group: "binding.example", Version: "v1", Kind: "Widget"})
		_, loose := s.Type(change.Kind{Group: "binding.example", Version: "v1", Kind: "Loose"})
		return err == nil && widget && loose
	})
	return s
}

func awaitThat(t *testing.T, what string, done func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) { return done(ctx), nil })
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// installCRDs applies the custom kinds and returns their schema as a render gives it.
func (l *bindingLab) installCRDs(t *testing.T) *schema.Snapshot {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(bindingFolder, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	resource := l.client.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, m := range documents(t, content) {
		if _, err := resource.Apply(t.Context(), m.GetName(), &m, metav1.ApplyOptions{FieldManager: "e2e", Force: true}); err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.Object, crd); err != nil {
			t.Fatal(err)
		}
		crds = append(crds, crd)
		kind := l.client.Resource(gvs.GroupVersionResource{Group: crd.Spec.Group, Version: "v1", Resource: crd.Spec.Names.Plural}).Namespace(l.ns)
		awaitThat(t, crd.Name, func(ctx context.Context) bool {
			_, err := kind.List(ctx, metav1.ListOptions{Limit: 1})
			return err == nil
		})
	}
	s, err := schema.FromCRDs(crds...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch installs one webhook that changes nothing but what the test asks for, and one that is shown the
// result. Both see only this lab's user.
func (l *bindingLab) watch(t *testing.T, c *controlplane.Cluster) {
	t.Helper()
	pair, err := c.ServingPair()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(l.review))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	rules := []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
	}}
	mine := []admissionregistrationv1.MatchCondition{{Name: "lab", Expression: "request.userInfo.username == '" + bindingManager + "'"}}
	at := func(path string) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{URL: new(srv.URL + path), CABundle: pair.CA}
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "binding-" + l.ns},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{Name: "see.binding.example", ClientConfig: at("/see"), Rules: rules, MatchConditions: mine,
			SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"}}},
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: validating.ObjectMeta,
		Webhooks: []admissionregistrationv1.MutatingWebhook{{Name: "change.binding.example", ClientConfig: at("/change"), Rules: rules, MatchConditions: mine,
			SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"}}},
	}
	admission := client.AdmissionregistrationV1()
	if _, err := admission.ValidatingWebhookConfigurations().Create(t.Context(), validating, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := admission.MutatingWebhookConfigurations().Create(t.Context(), mutating, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		err := errors.Join(admission.ValidatingWebhookConfigurations().Delete(ctx, validating.Name, metav1.DeleteOptions{}),
			admission.MutatingWebhookConfigurations().Delete(ctx, mutating.Name, metav1.DeleteOptions{}))
		if err != nil {
			t.Error(err)
		}
	})
	probe := l.placed(t, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "probe"}})
	l.mutateWith(t, `[{"op":"add","path":"/data","value":{"probe":"seen"}}]`)
	awaitThat(t, "the webhooks", func(context.Context) bool {
		s, err := l.apply(t, probe, true)
		return err == nil && strings.Contains(string(s.Object), `"probe":"seen"`)
	})
	l.mutateWith(t, "")
}

// review answers both webhooks.
func (l *bindingLab) review(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in := admissionv1.AdmissionReview{}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || in.Request == nil {
		http.Error(w, "not a review", http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := in.Request
	out := &admissionv1.AdmissionResponse{UID: q.UID, Allowed: true}
	if r.URL.Path == "/change" {
		if l.patch != "" {
			out.Patch, out.PatchType = []byte(l.patch), new(admissionv1.PatchTypeJSONPatch)
		}
	} else {
		l.last = &seen{change.Operation(q.Operation), change.Kind{Group: q.Kind.Group, Version: q.Kind.Version, Kind: q.Kind.Kind}, q.Object.Raw, q.OldObject.Raw}
	}
	in.Request, in.Response = nil, out
	_ = json.NewEncoder(w).Encode(in) // the API server says so if it did not arrive
}

func (l *bindingLab) mutateWith(t *testing.T, patch string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.patch = patch
}

// captured is what the webhook was shown by the last of the requests that f makes.
func (l *bindingLab) captured(f func() error) (seen, error) {
	l.mu.Lock()
	l.last = nil
	l.mu.Unlock()
	if err := f(); err != nil {
		return seen{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return seen{}, errors.New("the webhook was not called")
	}
	return *l.last, nil
}

// apply applies m by server-side apply. Kinds of admission itself are never shown to a webhook: of these
// the answer stands for what admission saw.
func (l *bindingLab) apply(t *testing.T, m map[string]any, dry bool) (seen, error) {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	options := metav1.PatchOptions{FieldManager: bindingManager, Force: new(true)}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	u := unstructured.Unstructured{Object: m}
	var answer *unstructured.Unstructured
	send := func() error {
		answer, err = l.resource(t, m).Patch(t.Context(), u.GetName(), types.ApplyPatchType, raw, options)
		return err
	}
	gvk := u.GroupVersionKind()
	if gvk.Group != "admissionregistration.k8s.io" {
		return l.captured(send)
	}
	if err := send(); err != nil {
		return seen{}, err
	}
	raw, err = answer.MarshalJSON()
	return seen{change.Create, change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}, raw, nil}, err
}

func (l *bindingLab) mapping(t *testing.T, m map[string]any) *meta.RESTMapping {
	t.Helper()
	gvk := (&unstructured.Unstructured{Object: m}).GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	return mapping
}

func (l *bindingLab) clusterScoped(t *testing.T, m map[string]any) bool {
	t.Helper()
	return l.mapping(t, m).Scope.Name() == meta.RESTScopeNameRoot
}

func (l *bindingLab) resource(t *testing.T, m map[string]any) dynamic.ResourceInterface {
	t.Helper()
	r := l.client.Resource(l.mapping(t, m).Resource)
	if l.clusterScoped(t, m) {
		return r
	}
	return r.Namespace(l.ns)
}

func (l *bindingLab) get(t *testing.T, m map[string]any) *unstructured.Unstructured {
	t.Helper()
	u, err := l.resource(t, m).Get(t.Context(), (&unstructured.Unstructured{Object: m}).GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (l *bindingLab) remove(t *testing.T, m map[string]any) {
	t.Helper()
	err := l.resource(t, m).Delete(t.Context(), (&unstructured.Unstructured{Object: m}).GetName(), metav1.DeleteOptions{})
	if err != nil {
		t.Error(err)
	}
}

// placed is m in the lab's namespace, if its kind has one.
func (l *bindingLab) placed(t *testing.T, m map[string]any) map[string]any {
	t.Helper()
	if !l.clusterScoped(t, m) {
		(&unstructured.Unstructured{Object: m}).SetNamespace(l.ns)
	}
	return m
}

func (l *bindingLab) digest(t *testing.T, m map[string]any) change.Digest {
	t.Helper()
	d, err := canon.DigestManifest(m, l.schema, l.key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (l *bindingLab) bind(t *testing.T, s seen, tolerate ...string) canon.Result {
	t.Helper()
	b := canon.Binding{Kind: s.Kind, Object: parse(t, s.Object), Manager: bindingManager, Types: l.schema, Key: l.key, Residue: true}
	if len(s.OldObject) > 0 && string(s.OldObject) != "null" {
		b.Old = parse(t, s.OldObject)
	}
	for _, text := range tolerate {
		p, err := canon.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		b.Tolerate = append(b.Tolerate, p)
	}
	return canon.Bind(b)
}

func parse(t *testing.T, raw []byte) *canon.Object {
	t.Helper()
	o, err := canon.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func parseManifest(t *testing.T, text string) map[string]any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u.Object
}
