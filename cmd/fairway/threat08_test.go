package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestT08SwappedUnderWay: while commits land, are approved and are proven, clients apply what is approved, what is about
// to be and what never will, in turns and under each other's declarations. What arrives is what counts: nothing is
// admitted before its own approvals were given, however good what was there a moment ago.
func TestT08SwappedUnderWay(t *testing.T) {
	const landings, clients, swaps = 6, 4, 1000
	l := newLab(t)
	var (
		approved        atomic.Int64 // how many of the changes may be in
		commits         [landings]atomic.Pointer[string]
		evil, early, in atomic.Int64
		over            = make(chan struct{})
		group           sync.WaitGroup
	)
	client := func(seed uint64) {
		defer group.Done()
		random := rand.New(rand.NewPCG(seed, seed))
		for rounds := 0; ; rounds++ {
			select {
			case <-over:
				if rounds >= swaps/clients {
					return
				}
			default:
			}
			claimed := commits[random.IntN(landings)].Load()
			if claimed == nil {
				continue
			}
			content, slipped := random.IntN(landings), ""
			if random.IntN(2) == 0 {
				slipped = story.HostNetwork
			}
			answer, _ := l.try(l.apply(story.Web(content+3, slipped, "1.0"), *claimed))
			switch given := approved.Load() > int64(content); {
			case answer.Allowed && slipped != "":
				t.Errorf("what nobody wrote is admitted on lane %q", answer.AuditAnnotations["lane"])
			case answer.Allowed && !given:
				t.Errorf("change %d is admitted before it is approved", content)
			case answer.Allowed:
				in.Add(1)
			case slipped != "":
				evil.Add(1)
			case !given:
				early.Add(1)
			}
		}
	}
	for seed := range clients {
		group.Add(1)
		go client(uint64(seed))
	}
	for n := range landings {
		merge := l.land("sara", map[string]string{story.WebPath: story.Web(n+3, "", "1.0")})
		commits[n].Store(&merge)
		l.look()
		l.approve("sam", merge+"^2")
		approved.Add(1) // the last word is paula's, so from here on it may be
		l.approve("paula", merge+"^2")
		l.look()
	}
	close(over)
	group.Wait()
	t.Logf("refused: %d that nobody wrote, %d not approved yet; admitted: %d", evil.Load(), early.Load(), in.Load())
	if evil.Load() < swaps/4 || early.Load() == 0 || in.Load() == 0 {
		t.Error("that was no race")
	}
}
