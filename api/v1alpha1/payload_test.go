package v1alpha1

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// proof is a ProvenCommit with every field set.
func proof() *ProvenCommit {
	at := metav1.NewTime(time.Date(2026, 11, 23, 16, 0, 0, 123456789, time.FixedZone("east", 3600)))
	return &ProvenCommit{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-6a6e04de0389"},
		Spec: ProvenCommitSpec{
			Source:    ProvenSource{Name: "shop", Repository: "fleet", Branch: "main", Path: "apps/shop", SourceDigest: strings.Repeat("1", 64)},
			ClusterID: "cluster", NamespaceUID: "namespace",
			Commit: strings.Repeat("2", 40), Tree: strings.Repeat("3", 40), Base: strings.Repeat("4", 40), Height: 1 << 60,
			Subject: "web: serve <b>ü</b> & more\u2028", Author: "ada", Trailers: []Trailer{{Key: "Ticket", Value: "SHOP-1"}},
			Closure: &Closure{Prefix: "apps/shop", Files: []string{"apps/shop/a.yaml"}, Dirs: []string{"apps/shop"}, Missing: []string{"apps/shop/k"}},
			Objects: []ProvenObject{{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web", Digest: strings.Repeat("5", 64)}},
			Shard:   Shard{Index: 1, Count: 2}, Prover: "v0.1.0", ProvenAt: at,
			Signature: Signature{KeyID: strings.Repeat("6", 64), Value: "c3BlYw=="},
		},
		Status: ProvenCommitStatus{
			Sequence:   3,
			Judgements: []Judgement{{Tier: "production", Verdict: VerdictPending, PolicyDigest: strings.Repeat("7", 64), Missing: []string{"owner"}, JudgedAt: at}},
			Approvers:  []string{"linus"},
			Approvals:  []StoredApproval{{Principal: "linus", Decision: DecisionApprove, EnvelopeDigest: strings.Repeat("8", 64), Source: "refs/fairway/approvals/linus"}},
			Reviews: []StoredReview{{
				Page: "https://git.example.com/acme/fleet/pulls/7", MergeBase: strings.Repeat("4", 40), Head: strings.Repeat("2", 40),
				RawDiffID: strings.Repeat("9", 64), Evidence: strings.Repeat("a", 64), Contributors: []string{"ada"}, Approvers: []string{"linus"},
			}},
			Revoked: RevokedOffBranch, ExpiresAt: &at,
			Signature: &Signature{KeyID: strings.Repeat("6", 64), Value: "c3RhdHVz"},
		},
	}
}

// payloads are both payloads of a proof, together.
func payloads(t *testing.T, p *ProvenCommit) string {
	t.Helper()
	spec, err := p.SigningPayload()
	if err != nil {
		t.Fatal(err)
	}
	status, err := p.StatusSigningPayload()
	if err != nil {
		t.Fatal(err)
	}
	return string(spec) + "\n" + string(status)
}

// The bytes are part of the API: what was signed by one version must verify in the next.
func TestSigningPayloadIsPinned(t *testing.T) {
	p := proof()
	p.Spec.Closure, p.Spec.Objects, p.Spec.Trailers, p.Status.Approvals, p.Status.Reviews = nil, nil, nil, nil, nil
	want := `fairway.dev/v1alpha1 ProvenCommit spec
{"name":"shop-6a6e04de0389","namespace":"shop","spec":{"author":"ada","base":"` + p.Spec.Base + `","clusterID":"cluster","commit":"` + p.Spec.Commit +
		`","height":1152921504606846976,"namespaceUID":"namespace","provenAt":"2026-11-23T15:00:00Z","prover":"v0.1.0","shard":{"count":2,"index":1},` +
		`"source":{"branch":"main","name":"shop","path":"apps/shop","repository":"fleet","sourceDigest":"` + p.Spec.Source.SourceDigest +
		`"},"subject":"web: serve <b>ü</b> & more\u2028","tree":"` + p.Spec.Tree + `"}}
fairway.dev/v1alpha1 ProvenCommit status
{"name":"shop-6a6e04de0389","namespace":"shop","specSignature":"c3BlYw==","status":{"approvers":["linus"],"expiresAt":"2026-11-23T15:00:00Z",` +
		`"judgements":[{"judgedAt":"2026-11-23T15:00:00Z","missing":["owner"],"policyDigest":"` + p.Status.Judgements[0].PolicyDigest +
		`","tier":"production","verdict":"Pending"}],"revoked":"OffBranch","sequence":3}}`
	if diff := cmp.Diff(want, payloads(t, p)); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
}

// Whoever reads the object back from the API server sees the same bytes.
func TestSigningPayloadSurvivesStorage(t *testing.T) {
	for name, p := range map[string]*ProvenCommit{"full": proof(), "empty": {}, "empty lists": {
		Spec:   ProvenCommitSpec{Trailers: []Trailer{}, Objects: []ProvenObject{}, Closure: &Closure{Files: []string{}}},
		Status: ProvenCommitStatus{Judgements: []Judgement{}, Approvers: []string{}},
	}} {
		stored, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back ProvenCommit
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(payloads(t, p), payloads(t, &back)); diff != "" {
			t.Errorf("%s: payloads (-before +after):\n%s", name, diff)
		}
	}
}

// Every field but the signatures is signed: a field that somebody adds later as well.
func TestSigningPayloadCoversEveryField(t *testing.T) {
	whole := payloads(t, proof())
	p := proof()
	for _, part := range []struct {
		name  string
		value reflect.Value
	}{{"spec", reflect.ValueOf(&p.Spec).Elem()}, {"status", reflect.ValueOf(&p.Status).Elem()}} {
		n := 0
		eachLeaf(t, part.name, part.value, func(path string) {
			n++
			got := payloads(t, p)
			isSigned := !strings.HasPrefix(path, "status.Signature") && path != "spec.Signature.KeyID"
			if (got != whole) != isSigned {
				t.Errorf("a change of %s changes the payloads: %v, want %v", path, got != whole, isSigned)
			}
		})
		if n < 10 {
			t.Errorf("%s has only %d fields", part.name, n)
		}
	}
	if payloads(t, p) != whole {
		t.Error("the walk left something changed")
	}
}

// eachLeaf changes one leaf of v at a time, calls visit and changes it back.
func eachLeaf(t *testing.T, path string, v reflect.Value, visit func(path string)) {
	t.Helper()
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	switch value := v.Interface().(type) {
	case metav1.Time:
		v.Set(reflect.ValueOf(metav1.NewTime(value.Add(time.Hour))))
	default:
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				eachLeaf(t, path+"."+v.Type().Field(i).Name, v.Field(i), visit)
			}
			return
		case reflect.Pointer:
			if v.IsNil() {
				t.Fatalf("%s is not set", path)
			}
			eachLeaf(t, path, v.Elem(), visit)
			v.SetZero()
		case reflect.Slice:
			if v.Len() == 0 {
				t.Fatalf("%s is not set", path)
			}
			eachLeaf(t, path, v.Index(0), visit)
			v.SetZero()
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int32, reflect.Int64:
			v.SetInt(v.Int() + 1)
		default:
			t.Fatalf("%s is a %s, which this test cannot change", path, v.Kind())
		}
	}
	visit(path)
	v.Set(before)
}

func TestSigningPayloadBindsNames(t *testing.T) {
	whole := payloads(t, proof())
	for name, change := range map[string]func(*ProvenCommit){
		"namespace": func(p *ProvenCommit) { p.Namespace = "other" },
		"name":      func(p *ProvenCommit) { p.Name = "other" },
	} {
		p := proof()
		change(p)
		got := payloads(t, p)
		for i, part := range strings.SplitN(got, "\nfairway", 2) {
			if part == strings.SplitN(whole, "\nfairway", 2)[i] {
				t.Errorf("another %s leaves payload %d as it was", name, i)
			}
		}
	}
}

// A path that is no UTF-8 would be stored as another path, and two such paths as the same.
func TestSigningPayloadRefusesWhatJSONCannotHold(t *testing.T) {
	p := proof()
	p.Spec.Closure.Files[0] = "apps/shop/\xff.yaml"
	if _, err := p.SigningPayload(); err == nil {
		t.Error("a spec with a path that is no UTF-8 was encoded")
	}
	p.Status.Judgements[0].Missing[0] = "\xc3"
	if _, err := p.StatusSigningPayload(); err == nil {
		t.Error("a status with a text that is no UTF-8 was encoded")
	}
	p = proof()
	p.Spec.Closure.Files[0] = "apps/shop/\ufffd\\ufffd\u2028.yaml" // odd, but valid
	if _, err := p.SigningPayload(); err != nil {
		t.Error(err)
	}
}
