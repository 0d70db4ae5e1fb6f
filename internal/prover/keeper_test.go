package prover_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/tier"
)

// diary is an opener that writes down when it was asked. It opens nothing: what a look proves is
// tested where the real rooms are wired.
type diary struct {
	mu    sync.Mutex
	start time.Time
	looks []time.Duration
	takes time.Duration
}

var errClosed = errors.New("closed")

func (d *diary) Open(context.Context, tier.Repository, *tier.World) (prover.Rooms, error) {
	d.mu.Lock()
	d.looks = append(d.looks, time.Since(d.start))
	d.mu.Unlock()
	time.Sleep(d.takes) // plays the time of a fetch
	return prover.Rooms{}, errClosed
}

func (d *diary) seen() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks
}

type noShelf struct{}

func (noShelf) Known(change.SourceKey) ([]change.Proof, []change.Delivered) { return nil, nil }
func (noShelf) Put(context.Context, change.SourceKey, []change.Proof, error) error {
	return nil
}

// pass lets the bubble's own time go by.
func pass(d time.Duration) {
	time.Sleep(d) // virtual: nobody waits
}

// keeping runs a keeper of one repository in a bubble of its own time.
func keeping(t *testing.T, poll, limit, takes time.Duration, story func(k *prover.Keeper, d *diary)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{start: time.Now(), takes: takes}
		world := &tier.World{Repositories: map[string]tier.Repository{"apps": {Name: "apps", Poll: poll}}}
		failed := 0
		k := prover.NewKeeper(func() *tier.World { return world }, d, noShelf{}, prover.Settings{
			Interval: limit, Timeout: time.Hour, Now: time.Now, Report: func(string, error) { failed++ },
		})
		ctx, stop := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		story(k, d)
		stop(errClosed)
		if err := <-ended; !errors.Is(err, errClosed) {
			t.Errorf("the keeper ended with %v, want the reason it was told", err)
		}
		if failed == 0 {
			t.Error("no look that failed was reported")
		}
	})
}

func TestKeeperLooksAsOftenAsTheRepositorySays(t *testing.T) {
	for name, c := range map[string]struct {
		poll, limit time.Duration
		want        []time.Duration
	}{
		"its own interval":         {poll: 20 * time.Second, want: []time.Duration{0, 20 * time.Second, 40 * time.Second}},
		"a minute where it is mum": {want: []time.Duration{0}},
		"no less often than told":  {poll: time.Hour, limit: 25 * time.Second, want: []time.Duration{0, 25 * time.Second, 50 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			keeping(t, c.poll, c.limit, 0, func(_ *prover.Keeper, d *diary) {
				pass(59 * time.Second)
				if diff := cmp.Diff(c.want, d.seen()); diff != "" {
					t.Errorf("looks (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A commit that is asked for is looked for at once, and once: who invents commits cannot make
// Fairway hammer a server, nor wait for ever.
func TestKeeperWanted(t *testing.T) {
	keeping(t, time.Hour, 0, 100*time.Millisecond, func(k *prover.Keeper, d *diary) {
		synctest.Wait()
		if k.Settled() {
			t.Error("settled before the first look has ended")
		}
		pass(time.Second)
		if !k.Settled() || k.Looks() != 1 {
			t.Errorf("after the first look: settled %v after %d looks", k.Settled(), k.Looks())
		}
		if !k.Wanted("apps", "c1") {
			t.Error("a commit nobody has looked for cannot be in the making")
		}
		pass(50 * time.Millisecond)
		if !k.Wanted("apps", "c1") {
			t.Error("not in the making any more while the look for it goes on")
		}
		pass(100 * time.Millisecond)
		if k.Wanted("apps", "c1") {
			t.Error("still in the making after a look has not found it")
		}
		if k.Wanted("other", "c1") {
			t.Error("a commit of a repository that is not registered is in the making")
		}
		if got := len(d.seen()); got != 2 {
			t.Errorf("%d looks, want the first and the one that was asked for", got)
		}
	})
}

func TestKeeperChangedWhileItLooks(t *testing.T) {
	keeping(t, time.Hour, 0, 10*time.Second, func(k *prover.Keeper, d *diary) {
		pass(3 * time.Second)
		k.Changed()
		pass(30 * time.Second)
		if diff := cmp.Diff([]time.Duration{0, 11 * time.Second}, d.seen()); diff != "" {
			t.Errorf("a change during a look is looked at after it and a pause (-want +got):\n%s", diff)
		}
	})
}
