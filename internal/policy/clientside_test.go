package policy

import "testing"

// TestRuling25ClientSideApply: whoever applies on the client's side is told what to do instead, and is not
// left to wonder about an annotation that kubectl wrote; whatever else differs is named as what it is.
func TestRuling25ClientSideApply(t *testing.T) {
	for path, want := range map[string]Code{
		`metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]`: CodeServerSide,
		`metadata.annotations["example.com/last-applied-configuration"]`:           CodeContent,
		`spec.replicas`: CodeContent,
	} {
		for _, fit := range []Fit{FitForeignGain, FitForeignLoss, FitForeignChange, FitForeignRemoval} {
			got := (&question{}).fits(&Candidate{Fit: fit, Manager: "deployer", Paths: []string{"spec.paused", path}})
			if got.Code != want || got.Outcome != Deny {
				t.Errorf("%v of %s: %s %v, want %s and a refusal", fit, path, got.Code, got.Outcome, want)
			}
		}
	}
}
