package policy

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

// BenchmarkAdmit measures the judge alone, on facts that are there.
func BenchmarkAdmit(b *testing.B) {
	noop := deployment(production(), change.Update)
	noop.Request.Old = noop.Request.Object
	pod := child(production(), change.Create, core("Pod"), "pods", "replicaset-controller", "ReplicaSet")
	for _, c := range []struct {
		name  string
		facts Facts
	}{
		{"open", deployment(sandbox(), change.Create)},
		{"no-op", noop},
		{"proven", proven(production())},
		{"controller", pod},
		{"refused", proven(production(), func(c *Candidate) { c.Fit = FitDiffers })},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, need := Try(&c.facts); need != 0 {
					b.Fatal("facts are missing")
				}
			}
		})
	}
}
