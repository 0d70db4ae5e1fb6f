package webhook

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestPace: where little is scanned the heap may grow by a fixed room, and else as Go has it.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		scanned uint64
		want    int
	}{
		{0, mostPace}, {5 << 20, mostPace}, {8 << 20, 500}, {16 << 20, 250}, {40 << 20, leastPace},
		{1 << 30, leastPace}, {math.MaxUint64, leastPace},
	} {
		if got := pace(tt.scanned); got != tt.want {
			t.Errorf("%d bytes scanned: %d percent, want %d", tt.scanned, got, tt.want)
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

// TestPaceFollowsCollections: the pace is another one after the first collection that finds more, or less.
func TestPaceFollowsCollections(t *testing.T) {
	if _, told := os.LookupEnv("GOGC"); told {
		t.Fatal("unset GOGC: it stands above the pace")
	}
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	ctx, cancel := context.WithCancel(t.Context())
	var paced sync.WaitGroup
	defer paced.Wait()
	defer cancel()
	paced.Go(func() { _ = PaceGarbage(ctx) })
	await := func(what string, want func(percent uint64) bool) {
		for deadline := time.Now().Add(10 * time.Second); ; runtime.GC() {
			sample := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}}
			if runtimemetrics.Read(sample); want(sample[0].Value.Uint64()) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("with %s the pace is %d", what, sample[0].Value.Uint64())
			}
		}
	}
	await("little in memory", func(percent uint64) bool { return percent > leastPace })
	much := make([]byte, garbageRoom)
	await("much in memory", func(percent uint64) bool { return percent == leastPace })
	runtime.KeepAlive(much)
	await("little again", func(percent uint64) bool { return percent > leastPace })
}

// TestT32StacksCount: stacks are scanned like the heap. A crowd of connections has little on the heap and much there.
func TestT32StacksCount(t *testing.T) {
	runtime.GC()
	before := scanned()
	over := make(chan struct{})
	var begun, all sync.WaitGroup
	defer all.Wait()
	defer close(over)
	const crowd, frame = 100, 64 << 10
	for range crowd {
		begun.Add(1)
		all.Go(func() {
			var deep [frame]byte
			begun.Done()
			<-over
			runtime.KeepAlive(&deep)
		})
	}
	begun.Wait()
	runtime.GC()
	if grown := int64(scanned()) - int64(before); grown < crowd*frame/2 {
		t.Errorf("%d stacks of %d bytes: %d bytes more are scanned", crowd, frame, grown)
	}
}
