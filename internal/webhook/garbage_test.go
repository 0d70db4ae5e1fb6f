package webhook

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"testing"
)

// TestPace: a small heap may grow by a fixed room, and a large one as Go has it.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, mostPace}, {1 << 20, mostPace}, {16 << 20, 600}, {24 << 20, 400}, {48 << 20, 200}, {96 << 20, leastPace},
		{1 << 30, leastPace}, {math.MaxUint64, leastPace},
	} {
		if got := pace(tt.live); got != tt.want {
			t.Errorf("%d bytes live: %d percent, want %d", tt.live, got, tt.want)
		}
	}
}

// TestPaceGarbage: it sets what it says, unless the environment has said something.
func TestPaceGarbage(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv("GOGC", "50")
	if err := PaceGarbage(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("although GOGC is set the pace is %d", got)
	}
}
