package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	urlpath "path"
	"slices"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// manner is how a recording gate answers.
type manner int

const (
	refusing manner = iota
	silent          // it closes the connection
)

// recordingGate notes the last part of the path of each review that it is sent.
type recordingGate struct {
	url string
	ca  []byte

	mu     sync.Mutex
	manner manner
	by     []string
}

func newRecordingGate(t *testing.T, c *controlplane.Cluster) *recordingGate {
	t.Helper()
	pair, err := c.ServingPair()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	g := &recordingGate{ca: pair.CA}
	server := httptest.NewUnstartedServer(g)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// be forgets who asked, and answers in a manner from now on.
func (g *recordingGate) be(m manner) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.manner, g.by = m, nil
}

// asked are the entries that asked, each once and sorted: of a collection each object is asked about.
func (g *recordingGate) asked() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := slices.Clone(g.by)
	slices.Sort(all)
	return slices.Compact(all)
}

// ServeHTTP notes a review, and refuses it or closes the connection.
func (g *recordingGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	g.by = append(g.by, urlpath.Base(r.URL.Path))
	manner := g.manner
	g.mu.Unlock()
	if manner == silent {
		panic(http.ErrAbortHandler)
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "no"}}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server takes a broken answer for none
}
