package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// TestT59NobodyNamesASeries: a review names namespaces that are not there, and bindings of tiers that are not.
// These are refused by a tier of that name, which must not become a series for each.
func TestT59NobodyNamesASeries(t *testing.T) {
	l := newLab(t)
	registry := prometheus.NewRegistry()
	l.front = webhook.New(l.in.gate, webhook.Options{Registry: registry}).Handler()
	reviews := l.refusedReviews(story.Web(2, "", "2.0"), strings.Repeat("ab", 20))
	for name, chosen := range map[string]string{"an object of a namespace that nobody knows": "nowhere", "a forged TierBinding": `"tier":"sandbox"`} {
		whole, err := json.Marshal(reviews[name])
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			var review admissionv1.AdmissionReview
			other := strings.NewReplacer(chosen, strings.NewReplacer("nowhere", fmt.Sprintf("n%d", i), "sandbox", fmt.Sprintf("t%d", i)).Replace(chosen)).Replace(string(whole))
			if err := json.Unmarshal([]byte(other), &review); err != nil {
				t.Fatal(err)
			}
			if answer := l.ask(&review); answer.Allowed {
				t.Fatalf("%s: admitted", name)
			}
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n > 10 {
			t.Errorf("%s has %d series after 200 reviews: %s", f.GetName(), n, f.GetMetric()[0])
		}
	}
}
