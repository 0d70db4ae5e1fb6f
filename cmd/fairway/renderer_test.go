package main

import (
	"math"
	"testing"
)

// TestT33WorkersFitIntoTheContainer: whatever a repository makes all workers at a time take, it is no more
// than this process may take itself, and the chart gives the two together less than the container has.
func TestT33WorkersFitIntoTheContainer(t *testing.T) {
	for _, tt := range []struct {
		mib      int64
		parallel int
		each     uint64
	}{{115, 1, 115}, {460, 1, 460}, {691, 2, 345}, {1843, 2, 921}, {1 << 20, 2, 1024}} {
		parallel, each := workers(tt.mib << 20)
		if parallel != tt.parallel || each>>20 != tt.each || int64(parallel)*int64(each) > tt.mib<<20 {
			t.Errorf("beside %d MiB: %d workers of %d MiB, want %d of %d", tt.mib, parallel, each>>20, tt.parallel, tt.each)
		}
	}
	if parallel, each := workers(math.MaxInt64); parallel != 2 || each != workerMemory {
		t.Errorf("without a limit: %d workers of %d bytes", parallel, each)
	}
}
