package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/e2e/story"
)

// mutator changes reviews at random, as JSON, so that what comes out is a review still.
type mutator struct {
	random *rand.Rand
	words  []any
}

// words are what fields are set to: other values of reviews, and what parsers stumble over.
func words() []any {
	return []any{
		nil, true, 0.0, -1.0, 1e300, "", "x", "is immutable", "field is immutable", "\u0000", strings.Repeat("a", 4096), []any{}, map[string]any{},
		[]any{nil}, map[string]any{"": nil}, "CREATE", "UPDATE", "DELETE", "CONNECT", "status", "scale", "eviction", "finalize", "exec", "token",
		"Namespace", "Pod", "Deployment", "Scale", "TierBinding", "Secret", "fairway.dev", "apps", "v1", "shop", "play", "fairway-system", "deployer",
		"system:serviceaccount:kube-system:deployment-controller", "system:serviceaccount:kube-system:statefulset-controller",
		"system:serviceaccount:kube-system:generic-garbage-collector", "system:node:n1", "Apply", "Update",
		map[string]any{"f:metadata": map[string]any{"f:labels": nil}}, map[string]any{"k:{}": map[string]any{".": 1.0}},
		[]any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "", "controller": true}},
		[]any{map[string]any{"name": "a"}, map[string]any{"name": "a"}},
	}
}

// change changes one value somewhere below v.
func (m mutator) change(v any) any {
	switch at := v.(type) {
	case map[string]any:
		keys := slices.Collect(maps.Keys(at))
		if len(keys) == 0 || m.random.IntN(12) == 0 {
			at["x"] = m.word()
			return at
		}
		slices.Sort(keys) // an input of a fuzz target means the same each time
		k := keys[m.random.IntN(len(keys))]
		if m.random.IntN(12) == 0 {
			delete(at, k)
		} else {
			at[k] = m.change(at[k])
		}
		return at
	case []any:
		if len(at) == 0 || m.random.IntN(8) == 0 {
			return append(at, m.word())
		}
		i := m.random.IntN(len(at))
		at[i] = m.change(at[i])
		return at
	}
	return m.word()
}

func (m mutator) word() any {
	raw, err := json.Marshal(m.words[m.random.IntN(len(m.words))])
	if err != nil {
		return nil
	}
	var own any // nobody may change what the others hold
	_ = json.Unmarshal(raw, &own)
	return own
}

// FuzzReviews sends reviews with a few values changed through the whole program: none makes it fail,
// every one is answered, and what is admitted as proven is what was proven.
func FuzzReviews(f *testing.F) {
	l := newLab(f)
	l.edit("tiers.yaml", "connect: Deny", "connect: Owned")
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	var reviews [][]byte
	add := func(review *admissionv1.AdmissionReview, err error) {
		raw, encoding := json.Marshal(review)
		if err != nil || encoding != nil {
			f.Fatal(err, encoding)
		}
		reviews = append(reviews, raw)
	}
	web := l.apply(story.Web(2, "", "2.0"), merge)
	review, keep, err := l.server.Try(web)
	add(review, err)
	l.admits("proven", web)
	keep()
	again := web
	again.Object = strings.Replace(web.Object, "fairway.dev/source: shop", "fairway.dev/source: shop\n    note: x", 1)
	for _, w := range []story.Write{web, again, l.put(story.Web(2, "", "2.0"), "sara", `"replicas":2`, `"replicas":3`)} {
		review, _, err := l.server.Try(w)
		add(review, err)
	}
	proven := asMap(f, reviews[0])
	for seed := range uint64(64) {
		f.Add(seed, uint8(seed), uint8(seed%5))
	}
	f.Fuzz(func(t *testing.T, seed uint64, which, times uint8) {
		m := mutator{rand.New(rand.NewPCG(seed, 1)), words()} //nolint:gosec // not a secret
		var review map[string]any
		if err := json.Unmarshal(reviews[int(which)%len(reviews)], &review); err != nil {
			t.Fatal(err)
		}
		for range times%6 + 1 {
			review["request"] = m.change(review["request"])
		}
		body, err := json.Marshal(review)
		if err != nil {
			t.Fatal(err)
		}
		answer, text := send(t, l.front, body)
		if strings.Contains(text, "Fairway failed on this request") {
			t.Fatalf("a panic: %s", body)
		}
		if strings.Contains(text, "is immutable") || strings.Contains(text, "field immutable") || strings.Contains(text, "immutable field") {
			t.Fatalf("taken for an immutable field: %s", text)
		}
		if answer == nil || !answer.Allowed || answer.AuditAnnotations["lane"] != "proven" {
			return
		}
		for _, part := range []string{"spec", "data", "kind"} {
			want, got := content(proven, part), content(asMap(t, body), part)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("admitted as proven with another %s (-proven +sent):\n%s", part, diff)
			}
		}
	})
}

func asMap(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// content is a part of the object of a review.
func content(review map[string]any, part string) any {
	request, _ := review["request"].(map[string]any)
	object, _ := request["object"].(map[string]any)
	return object[part]
}

// send posts a body and gives the answer, nil where the body is no review, and all that was said.
func send(t *testing.T, front http.Handler, body []byte) (*admissionv1.AdmissionResponse, string) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate?timeout=5s", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	front.ServeHTTP(recorder, request)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		return nil, recorder.Body.String()
	}
	if answer.Response == nil {
		t.Fatalf("status %d without an answer: %s", recorder.Code, body)
	}
	shown, err := json.Marshal([]any{answer.Response.Result, answer.Response.Warnings, answer.Response.AuditAnnotations})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Response, string(shown) // the uid is the API server's own
}
