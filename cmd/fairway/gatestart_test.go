package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/internal/cli"
)

// TestAGateThatWaitsDoesNotGrow: a gate tries to start once a second for as long as there are no keys, and
// a try that failed leaves nothing running.
func TestAGateThatWaitsDoesNotGrow(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/namespaces/kube-system"):
			_, _ = fmt.Fprint(w, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":"1"}}`)
		case strings.HasSuffix(r.URL.Path, "/selfsubjectreviews"):
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprint(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":"gate"}}}`)
		case r.URL.Path == "/api/v1":
			_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"secrets","namespaced":true,"kind":"Secret"},{"name":"namespaces","kind":"Namespace"}]}`)
		case r.URL.Path == "/api":
			_, _ = fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case r.URL.Path == "/apis":
			_, _ = fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		}
	}))
	t.Cleanup(api.Close)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],
"clusters":[{"name":"a","cluster":{"server":"` + api.URL + `"}}],"users":[{"name":"a","user":{}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate := &lateGate{o: cli.ServeOptions{Kubeconfig: kubeconfig, Namespace: "fairway-system"}, log: logr.Discard(), seen: newObserver(nil)}
	try := func(times int) {
		for range times {
			if _, _, err := gate.start(t.Context()); err == nil || !strings.Contains(err.Error(), "fairway-gate-keys") {
				t.Fatalf("started without keys: %v", err)
			}
		}
	}
	const times = 50
	try(5) // connections that are kept
	before := runtime.NumGoroutine()
	try(times)
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() >= before+times/2 {
		if time.Now().After(deadline) {
			t.Fatalf("after %d tries %d goroutines more", times, runtime.NumGoroutine()-before)
		}
		runtime.Gosched()
	}
}
