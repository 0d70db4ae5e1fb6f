package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/cli"
)

// TestT10WalkingBack walks at random over 500 commits that are all good. Going on from where the namespace stands is
// free. Going back to what was delivered before takes a signature of one person, and what never was, or is long
// forgotten, does not come back even by that.
func TestT10WalkingBack(t *testing.T) {
	const rounds, perRound, moves, seed = 50, 10, 40, 10
	l := newLab(t)
	l.edit("tiers.yaml", "  approvals:\n  - {name: owners, minimum: 1, from: Owners, level: Signed}\n  reciprocal: Required\n", "")
	path := walk{lab: l, random: rand.New(rand.NewPCG(seed, seed)), signed: map[int]bool{}, told: map[string]int{}}
	for range rounds {
		path.land(perRound)
		path.sign(path.random.IntN(len(path.commits)))
		if len(path.stood) > 0 {
			path.sign(path.stood[path.random.IntN(len(path.stood))])
		}
		l.look()
		path.move(len(path.commits) - 1)
		for range moves {
			if path.random.IntN(2) == 0 {
				path.move(path.random.IntN(len(path.commits)))
			} else {
				path.move(path.stood[path.random.IntN(len(path.stood))])
			}
		}
	}
	t.Logf("seed %d: %v", seed, path.told)
	for _, way := range []string{"nowhere", "on", "back", "back without a signature", "to what never was", "to what never was, signed"} {
		if path.told[way] == 0 {
			t.Errorf("no move went %s", way)
		}
	}
}

// walk is what a namespace has seen of a branch; places count from its first commit.
type walk struct {
	lab     *lab
	random  *rand.Rand
	commits []string
	stood   []int // what was delivered and is remembered, the last first
	signed  map[int]bool
	told    map[string]int
}

// land has main go on by commits that are signed.
func (w *walk) land(commits int) {
	w.lab.t.Helper()
	ctx := w.lab.t.Context()
	at, err := w.lab.shop.Tip(ctx)
	for range commits {
		if err != nil {
			break
		}
		sara := w.lab.shop.People["sara"]
		at, err = w.lab.shop.Repo.Commit(ctx, story.Commit{
			Author: sara, Signer: sara, Parents: []string{at}, Message: message, Files: version(strconv.Itoa(len(w.commits))),
		})
		w.commits = append(w.commits, at)
	}
	if err == nil {
		err = w.lab.shop.Repo.SetBranch(ctx, "main", at)
	}
	if err != nil {
		w.lab.t.Fatal(err)
	}
}

// sign has one person say that the shop may go back to a commit.
func (w *walk) sign(to int) {
	w.lab.t.Helper()
	w.lab.fetch()
	_, err := rollback(w.lab.t.Context(), cli.RollbackOptions{
		Dir: w.lab.shop.Clone(), Commit: w.commits[to], Namespace: "shop", NamespaceUID: "22222222-2222-4222-8222-222222222222",
		Repository: w.lab.shop.Repo.URL(), Branch: "main", Path: "shop/production", Source: "shop", Reason: "a walk", Ticket: "INC-1",
		For: time.Hour, Remote: "origin", Key: w.lab.shop.Key("paula"), As: "paula",
	})
	if err != nil {
		w.lab.t.Fatal(err)
	}
	w.signed[to] = true
}

// move applies a commit's content and holds that the answer is what the walk so far asks for.
func (w *walk) move(to int) {
	w.lab.t.Helper()
	const kept = 32 // proofs of the newest commits of a source
	before, last := slices.Contains(w.stood, to), to == len(w.commits)-1
	on := len(w.stood) == 0 || to > w.stood[0]
	lane, way := "", ""
	switch {
	case before && to == w.stood[0]:
		lane, way = "no-op", "nowhere"
	case on && (before || last || to >= len(w.commits)-kept):
		lane, way = "proven", "on"
	case before && w.signed[to]:
		lane, way = "rollback", "back"
	case before:
		way = "back without a signature"
	case w.signed[to]:
		way = "to what never was, signed"
	default:
		way = "to what never was"
	}
	w.told[way]++
	apply := w.lab.apply(story.Web(2, "", strconv.Itoa(to)), w.commits[to])
	switch {
	case lane != "":
		w.lab.admits(lane, apply)
		w.stands(to)
	case before:
		w.lab.refuses(http.StatusForbidden, apply, "going back to", "needs 1 signed approval")
	default: // the proof may not be forgotten yet, which is as well for who goes on
		answer, keep := w.lab.try(apply)
		if answer.Allowed && (!on || answer.AuditAnnotations["lane"] != "proven") {
			w.lab.t.Fatalf("commit %d of %d came %s on lane %q", to, len(w.commits), way, answer.AuditAnnotations["lane"])
		}
		if answer.Allowed {
			keep()
			w.stands(to)
		}
	}
}

func (w *walk) stands(to int) {
	const remembered = 64 // deliveries of a source
	w.stood = slices.Insert(slices.DeleteFunc(w.stood, func(place int) bool { return place == to }), 0, to)
	w.stood = w.stood[:min(len(w.stood), remembered)]
}
