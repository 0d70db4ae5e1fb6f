// Package gate turns one admission request into a verdict. It gathers the facts that the judge
// asks for, in stages, so that what is cheap to decide costs nothing: a request in an open tier is
// never decoded, and one that binds to a proof never looks at break-glass.
//
// Everything the gate reads is in memory or comes from the API server through Live; it runs no
// program and calls nothing else. It fails closed: a fact that cannot be gathered stays "could not
// tell", and the judge admits nothing on it in a gated tier. The mark of a first delivery is kept
// before the first object of a commit is admitted; where it cannot be kept, the answer is no.
package gate

import (
	"context"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Proofs is the index of verified proofs.
type Proofs interface {
	// Speaking are the proofs that speak of an object, highest first.
	Speaking(id change.ObjectID) []change.Spoken
	// Of are the proofs of one source, highest first. They are read only.
	Of(key change.SourceKey) []*change.Proof
}

// Marks are the commits that a namespace admitted.
type Marks interface {
	// Delivered are the commits of a source that its namespace admitted, newest first, and whether
	// that could be told.
	Delivered(key change.SourceKey) ([]change.Delivered, change.Found)
	// Deliver keeps the mark of a commit. It returns once the mark would survive a crash. A mark that is
	// older than the newest and does not go back on purpose came too late, and is an error.
	Deliver(ctx context.Context, key change.SourceKey, d change.Delivered, proof string) error
}

// Live reads the cluster.
type Live interface {
	// Object is the raw JSON of the live object of that kind. Absent: there is none.
	Object(ctx context.Context, kind change.Kind, namespace, name string) ([]byte, change.Found)
}

// Records are the statements and signatures that were verified when they were stored.
type Records interface {
	// Grants are the break-glasses of a namespace.
	Grants(namespace string) []policy.Grant
	// Rollbacks names the principals who signed for a roll-back of a namespace to a proven commit.
	Rollbacks(key change.SourceKey, commit, proof string) []string
	// SelfSigned says whether an object is one of ours with the prover's good signature.
	SelfSigned(raw []byte) change.Found
}

// Glasses reads requests for break-glass.
type Glasses interface {
	// Asked is what a request for break-glass amounts to that somebody stores in a namespace, or whose record
	// somebody deletes there; object and old are nil where the request has none.
	Asked(namespace string, object, old []byte) policy.GlassRequest
}

// Making knows which proofs are being made.
type Making interface {
	// Wanted asks for the proof of a commit and reports whether it may be in the making.
	Wanted(repository, commit string) bool
}

// Origins reads where an object says it comes from.
type Origins interface {
	// Of is the origin that a request and its object declare; object is nil where there is none that
	// can be read.
	Of(req *change.Request, object *canon.Object) change.Origin
}

// Engines know the objects by which engines are told what to deliver.
type Engines interface {
	// Reaches says into which namespaces an object of a kind can have an engine deliver; everywhere stands
	// for all. Chained: it is of a kind that does so at all.
	Reaches(kind change.Kind, raw []byte) (namespaces []string, everywhere, chained bool)
	// Repeats are patterns of the fields in which an object says again what its own spec says.
	Repeats(kind change.Kind, raw []byte) []string
	// Claimed are the commits that the owner of an origin says it is delivering, the likeliest first.
	Claimed(ctx context.Context, o change.Origin) []string
}

// Rooms are what a Gate works with.
type Rooms struct {
	World   func() *tier.World
	Types   func() canon.Types
	Proofs  Proofs
	Marks   Marks
	Live    Live
	Records Records
	Glasses Glasses
	Making  Making
	Origins Origins
	Engines Engines
	// Compile makes tiers and bindings of the objects of a request, as the store would.
	Compile Compile
	Key     canon.Key
	Now     func() time.Time
	// Age is how old what World, Proofs, Marks and Records hold may be at most, and Limit how old it may be
	// for a verdict to count (R13). Without an Age it is never too old.
	Age   func() time.Duration
	Limit time.Duration
	// Sealing says whether a cluster binding is the one that the install was told to expect.
	Sealing func(binding tier.Binding, world *tier.World) change.Found
}

// Compile reads Fairway's own kinds from the raw object of a request. The second result is false
// where it cannot be read as that kind.
type Compile interface {
	Binding(raw []byte) (tier.Binding, bool)
	Namespace(raw []byte) (tier.Namespace, bool)
}

// Gate decides requests. It is safe for concurrent use.
type Gate struct{ rooms Rooms }

// New returns a gate.
func New(rooms Rooms) *Gate { return &Gate{rooms: rooms} }

// Judge decides one request. It never panics on the bytes of a request and always returns a
// verdict; where the context ends first, what was not gathered counts as unknown.
func (g *Gate) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	c := g.begin(req)
	verdict, need := policy.Try(&c.facts)
	for need != 0 && ctx.Err() == nil {
		g.gather(ctx, c, need)
		verdict, need = policy.Try(&c.facts)
	}
	if need != 0 {
		verdict = policy.Admit(c.facts)
	}
	if g.rooms.Age != nil {
		verdict = verdict.Outdated(g.rooms.Age(), g.rooms.Limit)
	}
	return g.mark(ctx, c, verdict)
}

// Refuses reports whether some tier that judges a request refuses what is not proven. It asks nobody, and may be
// called while the request is judged.
func (g *Gate) Refuses(req *change.Request) bool { return !policy.Admit(g.begin(req).facts).Admits() }

// mark keeps the delivery of what the verdict admits. A dry run marks nothing. Where a mark cannot be
// kept the request is not admitted: a later look could not tell what was delivered.
func (g *Gate) mark(ctx context.Context, c *inquiry, v policy.Verdict) policy.Verdict {
	if v.Outcome != policy.Allow || c.facts.Request.DryRun {
		return v
	}
	for _, p := range g.delivery(c, v) {
		mark := change.Delivered{Commit: p.Commit, Height: p.Height, At: g.rooms.Now(), Back: v.Lane == policy.LaneRollback}
		if err := g.rooms.Marks.Deliver(ctx, p.Key, mark, p.Name); err != nil {
			v.Outcome, v.Lane = policy.Unknown, policy.LaneRefuse
			v.Findings = append(v.Findings, policy.Unmarked())
			v.RetryAfter = time.Second
			return v
		}
	}
	return v
}

// delivery are the proofs that a verdict delivers and that do not stand first among the marks: the
// one whose content was admitted, or those by which an object could go. Without the latter a commit
// that only removes would leave no mark, and what it removed could be applied again.
func (g *Gate) delivery(c *inquiry, v policy.Verdict) []*change.Proof {
	var proofs []*change.Proof
	switch {
	case v.Lane == policy.LaneDelete:
		proofs = g.deleted(c)
	case v.Proof != nil && (v.Lane == policy.LaneProven || v.Lane == policy.LaneRollback):
		proofs = []*change.Proof{v.Proof}
	}
	return slices.DeleteFunc(proofs, func(p *change.Proof) bool {
		done, known := g.rooms.Marks.Delivered(p.Key)
		if known == change.CouldNotTell || len(done) == 0 {
			return false
		}
		return done[0].Commit == p.Commit || v.Lane == policy.LaneDelete && done[0].Height >= p.Height
	})
}
