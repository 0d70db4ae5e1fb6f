package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestWaitingProverPassesWebhooksOn: a Service sends webhooks to any prover. One that waits has the one that
// leads look at the repository, by the number that gates ask with, and only where the webhook is signed.
func TestWaitingProverPassesWebhooksOn(t *testing.T) {
	scheme, err := knownKinds()
	if err != nil {
		t.Fatal(err)
	}
	binding := func(namespace, path string) *v1alpha1.TierBinding {
		return &v1alpha1.TierBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tier"},
			Spec:       v1alpha1.TierBindingSpec{Tier: "production", Sources: []v1alpha1.Source{{Name: "s", Repository: "apps", Branch: "main", Path: path}}},
		}
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Delivery{}).WithObjects(
		&v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "apps"}, Spec: v1alpha1.RepositorySpec{
			URL: "https://git.example.com/acme/apps.git", Branches: []string{"main"},
			Forge: &v1alpha1.Forge{Kind: v1alpha1.ForgeGitea, URL: "https://git.example.com", Project: "acme/apps", WebhookSecret: &v1alpha1.SecretReference{Name: "hook"}},
		}},
		&v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "bare"}, Spec: v1alpha1.RepositorySpec{URL: "https://git.example.com/acme/bare.git"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: "hook"}, Data: map[string][]byte{v1alpha1.ForgeWebhookSecret: []byte("first")}},
		binding("a", "a"), binding("b", "b"),
	).Build()
	d := newDoors(api, cli.ServeOptions{Namespace: "fairway-system"}, testr.New(t))
	mux := http.NewServeMux()
	mux.Handle("/hooks/{repository}", d)
	send := func(repository, key, body string) int {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/"+repository, strings.NewReader(body))
		req.Header.Set("X-Gitea-Event", "push")
		req.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, req)
		return answer.Code
	}
	asked := func() (all int64) {
		var list v1alpha1.DeliveryList
		if err := api.List(t.Context(), &list, client.InNamespace("")); err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Items {
			if one.Spec.Repository != "apps" || one.Namespace != "a" {
				t.Errorf("Delivery %s/%s of %q: want one alone, of the first source", one.Namespace, one.Name, one.Spec.Repository)
			}
			all += one.Status.Asked
		}
		return all
	}
	const body = `{"ref":"refs/heads/main","repository":{"id":7,"full_name":"acme/apps"}}`
	for _, c := range []struct {
		name, repository, key, body string
		answer                      int
		asked                       int64
	}{
		{"no such repository", "other", "first", body, http.StatusNotFound, 0},
		{"one without a forge", "bare", "first", body, http.StatusNotFound, 0},
		{"another secret", "apps", "guess", body, http.StatusUnauthorized, 0},
		{"signed", "apps", "first", body, http.StatusNoContent, 1},
		{"the same again", "apps", "first", body, http.StatusAccepted, 1},
		{"another", "apps", "first", body + " ", http.StatusNoContent, 2},
	} {
		if got := send(c.repository, c.key, c.body); got != c.answer {
			t.Errorf("%s: answered %d, want %d", c.name, got, c.answer)
		}
		if got := asked(); got != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.name, got, c.asked)
		}
	}
	looked := 0
	d.lead.Store(&forgeHooks{
		repository: func(string) (tier.Repository, bool) { return d.wait.repository("apps") }, hookOf: d.wait.hookOf,
		ask: func(string) { looked++ }, log: testr.New(t), now: time.Now, of: map[string]*hookDoor{},
	})
	if got := send("apps", "first", body); got != http.StatusNoContent || looked != 1 || asked() != 2 {
		t.Errorf("one that leads: answered %d, looked %d times, asked %d times", got, looked, asked())
	}
}
