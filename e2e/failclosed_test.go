package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// failing are the ways in which a webhook gives no verdict. Nil: nobody listens.
var failing = []struct {
	name  string
	tries int // of each write; one that waits for its answer takes 5 s
	serve http.HandlerFunc
}{
	{"is down", 200, nil},
	{"answers 500", 200, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
	{"answers 404", 200, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
	{"answers nothing", 200, func(http.ResponseWriter, *http.Request) {}},
	{"answers what is no review", 200, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "allowed: true") }},
	{"admits without a uid", 200, says(`{"allowed":true}`)},
	{"admits somebody else", 200, says(`{"uid":"11111111-1111-4111-8111-111111111111","allowed":true}`)},
	{"gives a review without a verdict", 200, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`)
	}},
	{"hangs up", 200, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"never answers", 8, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }},
}

// says answers with a response that is not that of the request.
func says(response string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":%s}`, response)
	}
}

// TestT04NoVerdictIsNoAdmission: what stands where Fairway should gives no verdict, in whatever way. In gated
// namespaces nothing is admitted then, by any verb; where a tier only warns, and where it is open, work goes on.
func TestT04NoVerdictIsNoAdmission(t *testing.T) {
	l := newServeLabBy(t, selfGuarded)
	l.warns("trial")
	here := l.hands("shop")
	there := map[string]*unstructured.Unstructured{"trial": scrap("trial"), "play": scrap("play")}
	l.until("the configuration is that of the tiers", func(ctx context.Context) error {
		config, err := l.hookConfig(ctx)
		if err != nil {
			return err
		}
		// The first entry is the strict one, for namespaces that are not named.
		named := config.Webhooks[0].NamespaceSelector.MatchExpressions[0].Values
		if !slices.Contains(named, "trial") || !slices.Contains(named, "play") || slices.Contains(named, "shop") {
			return fmt.Errorf("it leaves out %q", named)
		}
		return nil
	})
	l.until("the API server goes by it", func(ctx context.Context) error {
		if err := here["create"](ctx); !apierrors.IsForbidden(err) {
			return fmt.Errorf("a write by hand: %w", err)
		}
		_, err := l.on("sara", there["trial"]).Create(ctx, there["trial"], metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
	if err := l.program.Kill(); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, way := range failing {
		t.Run(way.name, func(t *testing.T) {
			stop := l.instead(t, way.serve)
			defer stop()
			for what, try := range here {
				var all sync.WaitGroup
				errs := make([]error, way.tries)
				for i := range 8 {
					all.Go(func() {
						for n := i; n < way.tries; n += 8 {
							errs[n] = try(t.Context())
						}
					})
				}
				all.Wait()
				for _, err := range errs {
					if tried++; err == nil || !apierrors.IsInternalError(err) {
						t.Fatalf("%s: %v, want that the webhook failed", what, err)
					}
				}
			}
			for namespace, object := range there {
				if _, err := l.on("sara", object).Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
					t.Errorf("in %s: %v", namespace, err)
				}
			}
		})
	}
	t.Logf("%d writes that nobody judged, none was admitted", tried)
}

// warns makes a namespace of a tier that only warns.
func (l *serveLab) warns(name string) {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: fairway.dev/v1alpha1\nkind: EnvironmentTier\nmetadata: {name: "+name+
		"}\nspec: {rank: 5, lane: Gated, enforcement: Warn, signatures: {require: EveryCommit}}\n")))
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n")))
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: fairway.dev/v1alpha1\nkind: TierBinding\nmetadata: {name: tier, namespace: "+name+
		"}\nspec: {tier: "+name+", owners: [shop]}\n")))
}

// scrap is an object that nobody delivered.
func scrap(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "note", "namespace": namespace}, "data": map[string]any{"a": "b"},
	}}
}

// hands are writes to a namespace by hand, by each verb, as dry runs.
func (l *serveLab) hands(namespace string) map[string]func(context.Context) error {
	l.t.Helper()
	dry := []string{metav1.DryRunAll}
	client := l.as("mallory").Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace)
	const there = "kube-root-ca.crt" // in every namespace
	l.until("there is something to change", func(ctx context.Context) error {
		_, err := client.Get(ctx, there, metav1.GetOptions{})
		return err
	})
	return map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := client.Create(ctx, scrap(namespace), metav1.CreateOptions{DryRun: dry})
			return err
		},
		"apply": func(ctx context.Context) error {
			_, err := client.Apply(ctx, "note", scrap(namespace), metav1.ApplyOptions{FieldManager: "deployer", DryRun: dry})
			return err
		},
		"patch": func(ctx context.Context) error {
			_, err := client.Patch(ctx, there, types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{DryRun: dry})
			return err
		},
		"delete": func(ctx context.Context) error {
			return client.Delete(ctx, there, metav1.DeleteOptions{DryRun: dry})
		},
		"delete all": func(ctx context.Context) error {
			return client.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{})
		},
	}
}

// instead serves where Fairway should, with Fairway's certificate.
func (l *serveLab) instead(t *testing.T, handler http.HandlerFunc) (stop func()) {
	t.Helper()
	if handler == nil {
		return func() {}
	}
	certificate, err := tls.X509KeyPair(l.pair.Certificate, l.pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	return func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}
}
