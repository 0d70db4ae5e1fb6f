package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

const (
	lampPath     = "shop/production/lamp.yaml"
	lampKindPath = "clusters/main/lamps.yaml"
	// mayAuditLamps is what an install adds for a custom kind (config/rbac/audit.yaml).
	mayAuditLamps = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: audit-lamps, labels: {fairway.dev/aggregate-to-audit: "true"}}
rules: [{apiGroups: [t28.example], resources: [lamps], verbs: [get, list]}]
`
)

// lamp is a custom object in the version that is not stored.
func lamp(bright int) string {
	return fmt.Sprintf("apiVersion: t28.example/v2\nkind: Lamp\nmetadata: {name: hall, namespace: shop}\nspec: {bright: %d}\n", bright)
}

// lampKind is its definition: v2 is served, and stored as v1 by a webhook.
func lampKind(converter string, authority []byte) string {
	version := func(name string, stored bool) string {
		return fmt.Sprintf(`
  - name: %s
    served: true
    storage: %t
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {bright: {type: integer}}}}}`, name, stored)
	}
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.t28.example}
spec:
  group: t28.example
  names: {kind: Lamp, listKind: LampList, plural: lamps, singular: lamp}
  scope: Namespaced
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: {url: %q, caBundle: %s}
  versions:%s%s
`, converter, base64.StdEncoding.EncodeToString(authority), version("v1", true), version("v2", false))
}

// converter is a conversion webhook. It changes the version and nothing else, until it lies: then every lamp
// that is stored shines at full strength.
type converter struct {
	lies  atomic.Bool
	asked atomic.Int64
	url   string
}

// fullStrength is what a lamp is stored with by a converter that lies.
const fullStrength = 100

// newConverter starts one.
func newConverter(t *testing.T, pair controlplane.ServingPair) *converter {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &converter{url: "https://" + listener.Addr().String() + "/convert"}
	server := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return c
}

// ServeHTTP answers one review.
func (c *converter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review apiextensionsv1.ConversionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, fmt.Sprint("no review: ", err), http.StatusBadRequest)
		return
	}
	c.asked.Add(1)
	answer := &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for _, raw := range review.Request.Objects {
		var object unstructured.Unstructured
		if err := json.Unmarshal(raw.Raw, &object.Object); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		object.SetAPIVersion(review.Request.DesiredAPIVersion)
		if c.lies.Load() && strings.HasSuffix(review.Request.DesiredAPIVersion, "/v1") {
			object.Object["spec"] = map[string]any{"bright": int64(fullStrength)}
		}
		answer.ConvertedObjects = append(answer.ConvertedObjects, runtime.RawExtension{Object: &object})
	}
	review.Request, review.Response = nil, answer
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // one that is gone asks again
}

// TestT28HostileConversion: what converts the versions of a custom kind can store something else than was
// admitted, after every webhook was asked. So how a kind is converted comes from Git like all that is in no
// namespace, whoever writes it and by whatever verb; and where a proven converter lies all the same, the next
// audit tells what became of the objects. The converter is real, and called by the real API server.
func TestT28HostileConversion(t *testing.T) {
	l := newServeLab(t)
	l.admitted(l.apply("admin", "admin", manifest(t, mayAuditLamps)))
	l.seal()
	proven, hostile := newConverter(t, l.pair), newConverter(t, l.pair)
	hostile.lies.Store(true)

	kind := lampKind(proven.url, l.pair.CA)
	l.until("the install is sealed", func(ctx context.Context) error {
		object := manifest(t, kind)
		_, err := l.on("admin", object).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("a kind can still be defined by hand")
		}
		return nil
	})
	l.refused(l.apply("admin", "admin", manifest(t, kind)), "no proof speaks of")
	merge := l.land("Define lamps\n\nTicket: SHOP-28", map[string]string{lampKindPath: kind})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.admitted(l.apply("deployer", "deployer", l.stamped(kind, merge, "fleet")))
	l.until("lamps are served", func(ctx context.Context) error {
		_, err := l.lamps("sara", "v2").List(ctx, metav1.ListOptions{})
		return err
	})

	l.conversionIsJudged(kind, merge, hostile)

	merge = l.land("Light the hall\n\nTicket: SHOP-29", map[string]string{lampPath: lamp(1)})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(lamp(1), merge))
	l.shines(1)
	l.enforcing(metav1.ConditionTrue, v1alpha1.ReasonSwept, "1 objects are as they were delivered")

	// It begins to lie. What is admitted is what was proven; what is stored is not.
	proven.lies.Store(true)
	merge = l.land("Light it more\n\nTicket: SHOP-30", map[string]string{lampPath: lamp(2)})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(lamp(2), merge))
	l.shines(fullStrength)
	stored := time.Now()
	l.enforcing(metav1.ConditionFalse, v1alpha1.ReasonUnproven, "Lamp shop/hall")
	t.Logf("the audit told of it after %s, at an interval of 20 s", time.Since(stored).Round(100*time.Millisecond))
	l.event("Drifted", "TierBinding", "tier", "shop", "hall")
	if proven.asked.Load() == 0 || hostile.asked.Load() > 0 {
		t.Errorf("the proven converter was asked %d times and the other %d", proven.asked.Load(), hostile.asked.Load())
	}
}

// lamps is a user's client for lamps of the shop.
func (l *serveLab) lamps(user, version string) dynamic.ResourceInterface {
	l.t.Helper()
	return l.as(user).Resource(schema.GroupVersionResource{Group: "t28.example", Version: version, Resource: "lamps"}).Namespace("shop")
}

// shines holds how bright the lamp of the hall is, as it is stored.
func (l *serveLab) shines(want int64) {
	l.t.Helper()
	object, err := l.lamps("sara", "v1").Get(l.t.Context(), "hall", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if got, _, err := unstructured.NestedInt64(object.Object, "spec", "bright"); err != nil || got != want {
		l.t.Errorf("it is stored with %d, %v, want %d", got, err, want)
	}
}

// conversionIsJudged tries to have lamps converted by somebody else.
func (l *serveLab) conversionIsJudged(kind, commit string, hostile *converter) {
	ctx := l.t.Context()
	crds := l.as("admin").Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	before, err := crds.Get(ctx, "lamps.t28.example", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	other := lampKind(hostile.url, l.pair.CA)
	conversion := func(body string) []byte { return []byte(`{"spec":{"conversion":` + body + `}}`) }
	url := conversion(fmt.Sprintf(`{"webhook":{"clientConfig":{"url":%q}}}`, hostile.url))
	replaced := before.DeepCopy()
	if err := unstructured.SetNestedField(replaced.Object, hostile.url, "spec", "conversion", "webhook", "clientConfig", "url"); err != nil {
		l.t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		try  func() error
	}{
		{"another converter, by PATCH", func() error {
			_, err := crds.Patch(ctx, before.GetName(), types.MergePatchType, url, metav1.PatchOptions{})
			return err
		}},
		{"another converter, by PUT", func() error { _, err := crds.Update(ctx, replaced, metav1.UpdateOptions{}); return err }},
		{"another converter, applied by hand", func() error { return l.apply("admin", "deployer", manifest(l.t, other)) }},
		{"another converter, as the pipeline with the commit of the proven one", func() error {
			return l.apply("deployer", "deployer", l.stamped(other, commit, "fleet"))
		}},
		{"another authority", func() error {
			_, err := crds.Patch(ctx, before.GetName(), types.MergePatchType, conversion(`{"webhook":{"clientConfig":{"caBundle":null}}}`), metav1.PatchOptions{})
			return err
		}},
		{"no converter", func() error {
			_, err := crds.Patch(ctx, before.GetName(), types.MergePatchType, conversion(`{"strategy":"None","webhook":null}`), metav1.PatchOptions{})
			return err
		}},
		{"another stored version", func() error {
			_, err := crds.Patch(ctx, before.GetName(), types.JSONPatchType,
				[]byte(`[{"op":"replace","path":"/spec/versions/0/storage","value":false},{"op":"replace","path":"/spec/versions/1/storage","value":true}]`), metav1.PatchOptions{})
			return err
		}},
		{"made anew, after a deletion", func() error { return crds.Delete(ctx, before.GetName(), metav1.DeleteOptions{}) }},
	} {
		t := l.t
		t.Run(row.name, func(t *testing.T) {
			here := *l
			here.t = t
			here.refused(row.try(), "")
		})
	}
	// A status write goes through, for its status alone: the API server keeps the rest.
	if _, err := crds.Patch(ctx, before.GetName(), types.MergePatchType, url, metav1.PatchOptions{}, "status"); err != nil && !strings.Contains(err.Error(), "fairway.dev") {
		l.t.Errorf("a status write: %v", err)
	}
	after, err := crds.Get(ctx, before.GetName(), metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if d := cmp.Diff(before.Object["spec"], after.Object["spec"]); d != "" {
		l.t.Errorf("the kind is not as it was (-before +after):\n%s", d)
	}
}
