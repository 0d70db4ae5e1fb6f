package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/store"
)

// judging is the role that answers reviews. It has no git, starts no program, and talks to the API
// server alone.
type judging struct {
	*install
	judge    *gate.Gate
	denials  *controller.Denials
	uses     *controller.Uses
	usesBell *controller.Bell
}

// rollbacks knows who signed for a way back.
type rollbacks interface {
	// signed names the principals who signed for a roll-back of a source to a commit.
	signed(key change.SourceKey, namespaceUID, url, commit, proof string) []string
}

// newJudging adds the role to an install that has its keys.
func newJudging(in *install, ways rollbacks, making gate.Making) *judging {
	live := controller.NewLive(in.cluster.typed.Discovery().RESTClient())
	j := &judging{
		install: in, denials: controller.NewDenials(in.cache, in.events, in.state.World, in.observer.denials.Inc), uses: &controller.Uses{Client: in.cluster.client},
		usesBell: controller.NewBell(100*time.Millisecond, time.Second),
	}
	j.judge = gate.New(gate.Rooms{
		World: in.state.World, Types: in.types, Proofs: in.index, Marks: in.deliveries, Live: live,
		Records: records{state: in.state, ways: ways, selfSigned: j.selfSigned}, Glasses: glassAsked{in.glass, in.state, time.Now}, Making: making, Origins: origins{},
		Engines: engines{live: live, world: in.state.World},
		Age:     in.hearing.Age, Limit: in.o.MaxStaleness, Compile: store.Requested{Own: in.o.Namespace},
		Key: in.keys.digest, Now: time.Now, Sealing: sealing(in.o),
	})
	in.hooks = append(in.hooks, hooks{defined: live.Define})
	return j
}

// work is what the role does until the context ends, beside answering.
func (j *judging) work() []func(context.Context) error {
	return []func(context.Context) error{
		j.denials.Run,
		func(ctx context.Context) error { return j.usesBell.Run(ctx, 0, j.recordUses) },
	}
}

func (j *judging) recordUses(ctx context.Context) error {
	err := j.uses.Write(ctx)
	if err != nil {
		j.log.V(1).Info("a use of break-glass could not be recorded yet", "problem", err.Error())
	}
	return err
}

// Judge decides one request. That it was admitted by break-glass is recorded after the answer
// (ruling 5).
func (j *judging) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	v := j.judge.Judge(ctx, req)
	j.denials.Tell(v, req.User.Name, req.DryRun)
	if v.Outcome == policy.Allow && v.Lane == policy.LaneBreakGlass && !req.DryRun {
		j.used(req, time.Now())
	}
	return v
}

// Refuses reports whether some tier refuses what is asked where it is not proven.
func (j *judging) Refuses(req *change.Request) bool { return j.judge.Refuses(req) }

// used notes on every break-glass that covers a request that it was used: which of several let it
// through makes no difference to what must be put right.
func (j *judging) used(req *change.Request, now time.Time) {
	namespace := req.ID.Namespace
	switch {
	case req.Kind.Group == v1alpha1.Group && req.Kind.Kind == "TierBinding", namespace == "" && req.Kind.Kind != "Namespace":
		namespace = j.o.Namespace
	case namespace == "":
		namespace = req.ID.Name
	}
	use := controller.Use{At: now, User: req.User.Name, Operation: req.Operation, Object: req.ID}
	for _, g := range j.state.Grants(namespace) {
		if g.User == req.User.Name && !now.Before(g.From) && now.Before(g.Until) && g.Spent != change.Present {
			j.uses.Used(namespace, g.Name, use)
		}
	}
	j.usesBell.Ring()
	j.auditBell.Ring()
}

// selfSigned says whether an object is a ProvenCommit that our own key signed.
func (j *judging) selfSigned(raw []byte) change.Found {
	var p v1alpha1.ProvenCommit
	if json.Unmarshal(raw, &p) != nil {
		return change.Absent
	}
	return change.FoundIf(store.VerifyProven(&p, j.clusterID, j.keys) == "")
}
