package webhook

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// The pace of garbage collection. Each review leaves some tens of kilobytes behind, and the heap of a
// gate is small: with Go's default it would be collected several times a second, and that would be a
// third of what a verdict costs. So the heap may grow by room between two collections, as far as that is
// no more than most percent of what is scanned; a gate with much in memory, or with a crowd at its door
// (T-32), is back at Go's default.
const (
	garbageRoom = 40 << 20 // bytes
	leastPace   = 100      // percent: Go's default
	mostPace    = 800
)

// PaceGarbage sets the pace of garbage collection of this process after each collection, until the context ends: a
// crowd that comes in one moment would fill the heap to what was right for the few that lived before. It leaves alone
// what GOGC in the environment says. A limit of memory is not its business: GOMEMLIMIT is obeyed by the runtime,
// whatever the pace.
func PaceGarbage(ctx context.Context) error {
	if _, told := os.LookupEnv("GOGC"); told {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for set := 0; ; {
		// To set it stops the world: what has hardly changed is left.
		if want := pace(scanned()); 10*want < 9*set || 10*want > 11*set {
			debug.SetGCPercent(want)
			set = want
		}
		collected := make(chan struct{})
		runtime.AddCleanup(new(garbage), func(c chan struct{}) { close(c) }, collected)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-collected:
		}
	}
}

// garbage is what the next collection finds. It is too large to share a block of memory with what may live on.
type garbage [64]byte

// scanned is how many bytes the last collection went through: what lives in the heap, stacks and globals. Go's pace is
// percent of all these.
func scanned() uint64 {
	samples := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	runtimemetrics.Read(samples)
	var sum uint64
	for _, s := range samples {
		if s.Value.Kind() != runtimemetrics.KindUint64 {
			return math.MaxUint64 // not known: the least pace
		}
		sum += s.Value.Uint64()
	}
	return sum
}

// pace is by how many percent a heap may grow of so many bytes that are scanned.
func pace(scanned uint64) int {
	return int(min(max(garbageRoom*100/max(scanned, 1), leastPace), mostPace))
}
