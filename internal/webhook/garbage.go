package webhook

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

// The pace of garbage collection. Each review leaves some tens of kilobytes behind, and the heap of a
// gate is small: with Go's default it would be collected several times a second, and that would be a
// third of what a verdict costs. So the heap may grow by room between two collections, as far as that is
// no more than most percent of what lives; a gate with much in memory is back at Go's default.
const (
	garbageRoom = 96 << 20 // bytes
	leastPace   = 100      // percent: Go's default
	mostPace    = 800
	paceEvery   = 10 * time.Second
)

// PaceGarbage sets the pace of garbage collection of this process by how much lives in its heap, until
// the context ends. It leaves alone what GOGC in the environment says. A limit of memory is not its
// business: GOMEMLIMIT is obeyed by the runtime, whatever the pace.
func PaceGarbage(ctx context.Context) error {
	if _, told := os.LookupEnv("GOGC"); told {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ticker := time.NewTicker(paceEvery)
	defer ticker.Stop()
	for {
		debug.SetGCPercent(pace(live()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// live is how many bytes of heap the last collection left.
func live() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(sample)
	if sample[0].Value.Kind() != runtimemetrics.KindUint64 {
		return math.MaxUint64 // not known: the least pace
	}
	return sample[0].Value.Uint64()
}

// pace is by how many percent a heap may grow of which so many bytes live.
func pace(live uint64) int {
	return int(min(max(garbageRoom*100/max(live, 1), leastPace), mostPace))
}
