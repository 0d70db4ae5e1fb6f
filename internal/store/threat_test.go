package store

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT46TenThousandTiers: whatever somebody writes into a tier, it is compiled or named, and what is compiled
// can be matched. The texts are of what expressions, selectors and field paths are made of.
func TestT46TenThousandTiers(t *testing.T) {
	r := rand.New(rand.NewPCG(46, 46)) //nolint:gosec // the same each time
	value := strings.Repeat("a1-", 10_000)
	loaded := 0
	for range 10_000 {
		in := randomTier(r)
		w := Compile(Kinds{Tiers: []v1alpha1.EnvironmentTier{in}}, Settings{Namespace: "fairway-system"}, nil)
		got, ok := w.Tiers["fuzzed"]
		if !ok {
			if len(w.Problems) == 0 {
				t.Fatalf("left out, and nobody is told: %+v", in.Spec)
			}
			continue
		}
		loaded++
		for _, rule := range got.Trailers {
			if rule.Matches(rule.Key, value) {
				t.Fatalf("%q matches a value that is too long", rule.Pattern)
			}
			rule.Matches(rule.Key, value[:1000])
		}
		if got.Selector != nil {
			got.Selector.Matches(map[string]string{"a": "b"})
		}
		if !tier.Stricter(got, got) {
			t.Fatalf("not as strict as itself: %+v", in.Spec)
		}
	}
	if loaded < 1000 || loaded > 9000 {
		t.Errorf("%d of 10000 could be loaded, so that little was tried of one kind", loaded)
	}
}

// BenchmarkT46Compile compiles the worst tier of those: as many expressions as a tier may have, each as long
// as it may be.
func BenchmarkT46Compile(b *testing.B) {
	in := v1alpha1.EnvironmentTier{ObjectMeta: metav1.ObjectMeta{Name: "worst"}, Spec: v1alpha1.EnvironmentTierSpec{Trace: &v1alpha1.TraceRule{}}}
	for key := range 8 {
		in.Spec.Trace.Trailers = append(in.Spec.Trace.Trailers, v1alpha1.TrailerRule{
			Key: string(rune('A' + key)), Pattern: strings.Repeat(`(.{0,999})`, 24),
		})
	}
	for b.Loop() {
		Compile(Kinds{Tiers: []v1alpha1.EnvironmentTier{in}}, Settings{Namespace: "fairway-system"}, nil)
	}
}

func randomTier(r *rand.Rand) v1alpha1.EnvironmentTier {
	text := func(pieces []string) string {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	expressions := []string{"(", ")", "(?i:", "[", "]", "[^a", "a", ".", "*", "+?", "{0,999}", "{7}", "|", `\pL`, `\d`, `\`, "^", "$", "(?P<n>", "é", "\xff", "A-Z", "-"}
	names := []string{"a", "-", ".", "/", "A", "é", " ", "0", "\x00", strings.Repeat("x", 64)}
	paths := []string{"spec", ".", "[*]", "[", "]", "=", `"`, `\u00`, "*", "[name=a]", "[0]", "[=x]", ","}
	in := v1alpha1.EnvironmentTier{ObjectMeta: metav1.ObjectMeta{Name: "fuzzed", Generation: r.Int64()}}
	s := &in.Spec
	s.Rank, s.Lane, s.Enforcement = r.Int32(), v1alpha1.Lane(text(names)), v1alpha1.Enforcement(text(names))
	if r.IntN(4) > 0 {
		s.Trace = &v1alpha1.TraceRule{}
		for range r.IntN(3) {
			s.Trace.Trailers = append(s.Trace.Trailers, v1alpha1.TrailerRule{Key: text(names), Pattern: text(expressions)})
		}
	}
	if r.IntN(2) > 0 {
		s.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key:      text(names),
			Operator: []metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "", "Gt"}[r.IntN(6)],
			Values:   strings.Fields(text(names)),
		}}}
	}
	s.Content = &v1alpha1.ContentRule{Tolerate: []v1alpha1.Tolerance{{Path: text(paths)}}}
	s.Controllers = []v1alpha1.Controller{{Users: []string{text(names)}, Fields: []string{text(paths)}}}
	s.Rollback = &v1alpha1.RollbackRule{Mode: v1alpha1.RollbackAllow, Approvals: r.Int32() - r.Int32(), Window: &metav1.Duration{Duration: time.Duration(r.Int64() - r.Int64())}}
	return in
}
