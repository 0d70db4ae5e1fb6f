// Package prover turns one commit of one source into a proof: it asks the history what happened
// since the last proven commit, has every signature and approval looked at, renders the source,
// and lets the judge decide.
//
// It refuses to guess. What could not be found out stays CouldNotTell in the evidence, and the
// judge admits nothing on it; an error means that no evidence could be gathered at all, and leaves
// the proofs that exist as they are. The package reads no clock, git or cluster itself: whatever
// it needs comes through the interfaces below.
package prover

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// History answers questions about the first-parent chain of a mirrored branch.
type History interface {
	// Tip is the commit that the branch points at, as the mirror saw it last.
	Tip(ctx context.Context, branch string) (string, error)
	// Place says whether a commit is on the first-parent chain of the branch, and how many commits
	// that chain has up to and with it.
	Place(ctx context.Context, branch, commit string) (height int64, on bool, err error)
	// Cover partitions the chain base..head into steps. It reports ErrRewritten where base is not
	// on head's first-parent chain.
	Cover(ctx context.Context, base, head string, closure change.Closure, units []change.Unit) ([]change.Step, error)
}

// Commits reads commits and has their signatures verified.
type Commits interface {
	// Verified is the commit with its signature judged against the people in force.
	Verified(ctx context.Context, id string) (change.Commit, error)
}

// Statements are the verified approvals of a repository.
type Statements interface {
	// Approvals are the statements in force, withdrawn ones left out.
	Approvals(ctx context.Context) ([]change.Approval, error)
}

// Renderer makes the objects of a source at a commit.
type Renderer interface {
	Render(ctx context.Context, commit string, source tier.Source, namespace string) (Rendered, error)
}

// Rendered is what a source renders to at one commit.
type Rendered struct {
	// Objects are the digested objects that belong to the binding's namespace (for the cluster
	// binding: to the cluster scope).
	Objects []change.ProvenObject
	Closure change.Closure
	// Refusal says why the source does not render; empty where it does. The closure is then that
	// of the attempt.
	Refusal string
}

// Rooms are what a Prover works with for one repository.
type Rooms struct {
	History    History
	Commits    Commits
	Statements Statements
	Renderer   Renderer
	// Forge is nil where no review on a forge counts.
	Forge Forge
}

// Work is one source to prove.
type Work struct {
	// Tiers judge the source: the binding's own first. The sources of the cluster binding are
	// judged by every gated tier, since what they change may touch any of them (ruling 6).
	Tiers      []tier.Tier
	Binding    tier.Binding
	Source     tier.Source
	Repository tier.Repository
	People     tier.People
	Schema     string // digest of the schema that objects are rendered with: a policy input
	// Known are the proofs of this source that exist, whatever their judgement.
	Known []change.Proof
	// Delivered are the commits of this source that the namespace has admitted. Until a proof is
	// delivered its evidence can be taken back, so it is judged anew each time.
	Delivered []change.Delivered
	// Only limits the work to one commit (check); empty: everything up to the tip.
	Only string
	// Ahead is a change unit that has not landed, if Only is the merge that landing it now would
	// make: that merge counts as on the branch, and nobody is asked to have signed it.
	Ahead *change.Unit
}

// Key is the mark under which the source's deliveries are kept.
func (w Work) Key() change.SourceKey {
	return change.SourceKey{Repository: w.Repository.Name, Branch: w.Source.Branch, Path: w.Source.Path, Namespace: w.Binding.Namespace}
}

// PolicyDigest is the digest of all that judges this work in a tier.
func (w Work) PolicyDigest(t tier.Tier) string {
	return tier.PolicyDigest(t, w.Binding, w.People, w.Repository, w.Schema)
}

// Result is one commit judged. Verdict is that of the binding's own tier; the proof holds the
// judgements of all.
type Result struct {
	Proof    change.Proof
	Evidence change.Evidence
	Verdict  policy.Verdict
}

// candidateLimit bounds how many touching commits between two looks at a branch get a proof of
// their own. Older ones than the newest candidateLimit can only be applied by an engine that lags
// further behind than this.
const candidateLimit = 20

// Prove judges the commits of a source that have no current proof: every known proof that was judged
// under another policy or whose evidence may have been taken back, and each commit since the last
// grounded one that changes what the source renders, the newest last. Commits that change nothing
// have no proof of their own. An error says that the repository could not be read.
func Prove(ctx context.Context, rooms Rooms, work Work, now time.Time) ([]Result, error) {
	work.Known = slices.Clone(work.Known)
	slices.SortStableFunc(work.Known, func(a, b change.Proof) int { return cmp.Compare(a.Height, b.Height) })
	run := &run{rooms: rooms, work: work, now: now, rendered: map[string]Rendered{}}
	approvals, err := rooms.Statements.Approvals(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading approvals of repository %q: %w", work.Repository.Name, err)
	}
	run.approvals = approvals
	if err := run.listen(ctx); err != nil {
		return nil, err
	}
	if work.Only != "" {
		result, err := run.judge(ctx, work.Only, run.base(ctx, work.Only))
		return []Result{result}, err
	}
	head, err := rooms.History.Tip(ctx, work.Source.Branch)
	if err != nil {
		return nil, fmt.Errorf("reading branch %q of repository %q: %w", work.Source.Branch, work.Repository.Name, err)
	}
	again, err := run.rejudge(ctx)
	if err != nil {
		return nil, err
	}
	newer, err := run.newCommits(ctx, head)
	if err != nil {
		return nil, err
	}
	return append(again, newer...), nil
}

// run is one call of Prove.
type run struct {
	rooms     Rooms
	work      Work
	now       time.Time
	approvals []change.Approval
	rendered  map[string]Rendered
	landed    []change.Proposal // on the source's branch, as the forge knows
	unasked   string            // why the forge could not be asked
	heard     []change.Proposal // by the judgement that is being made
	takenBack bool              // the forge was heard to take back what it said before
}

// newCommits judges the candidates up to head that have no proof yet, oldest first.
func (r *run) newCommits(ctx context.Context, head string) ([]Result, error) {
	last, err := r.judge(ctx, head, r.base(ctx, head))
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, commit := range candidates(last.Evidence) {
		if _, known := r.known(commit); known || commit == head {
			continue
		}
		result, err := r.judge(ctx, commit, last.Evidence.Base)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	if _, known := r.known(head); !known && r.changesContent(last) {
		results = append(results, last)
	}
	return results, nil
}

// changesContent reports whether the newest commit, which has no proof, needs one of its own: where
// the last step does not touch what the source reads, the proof before it speaks for it.
func (r *run) changesContent(last Result) bool {
	ev := last.Evidence
	if ev.Continuous != change.Present || len(ev.Steps) == 0 || ev.Rendered != change.Present {
		return true
	}
	touched := touching(ev)
	if len(touched) == 0 {
		_, known := r.known(ev.Base)
		return !known // nothing since the baseline: the tip itself carries the first proof
	}
	return touched[len(touched)-1] == ev.Commit.ID
}

// candidates are the ends of the touching steps, oldest first, at most candidateLimit.
func candidates(ev change.Evidence) []string {
	ends := touching(ev)
	if len(ends) > candidateLimit {
		ends = ends[len(ends)-candidateLimit:]
	}
	return ends
}

func touching(ev change.Evidence) []string {
	var ends []string
	for _, s := range ev.Steps {
		if s.Touches != change.Absent && len(s.Commits) > 0 {
			ends = append(ends, s.Commits[len(s.Commits)-1].ID)
		}
	}
	return ends
}

// rejudge judges again every known proof whose judgement is not current, the oldest first: who was
// revoked since counts no more (ruling 4). What was proven on top of one that is no ground any more is
// judged from before it, so that nothing is carried in by what came later.
func (r *run) rejudge(ctx context.Context) ([]Result, error) {
	var results []Result
	for i, p := range r.work.Known {
		_, on, err := r.rooms.History.Place(ctx, r.work.Source.Branch, p.Commit)
		if err != nil {
			return nil, fmt.Errorf("placing commit %q on branch %q: %w", p.Commit, r.work.Source.Branch, err)
		}
		if !on && p.Revoked || on && r.current(p) {
			continue
		}
		result := r.revoke(p)
		if on {
			if result, err = r.judge(ctx, p.Commit, r.baseAgain(p)); err != nil {
				return nil, err
			}
			if r.outlasts(p, result) {
				continue
			}
		}
		r.work.Known[i] = result.Proof
		results = append(results, result)
	}
	return results, nil
}

// baseAgain is the base that a proof is judged from again: its own, while that still is a ground.
func (r *run) baseAgain(p change.Proof) string {
	if base, ok := r.known(p.Base); p.Base == r.work.Repository.Baseline || ok && r.grounded(base) {
		return p.Base
	}
	return r.below(p.Height)
}

// revoke is the proof of a commit that is no longer on the branch. Nothing is read for it: the
// repository may not even hold the commit any more.
func (r *run) revoke(p change.Proof) Result {
	gone := policy.Finding{
		Code: policy.CodeBranch, Outcome: policy.Deny, Reason: policy.Lookup(policy.CodeBranch).Reason,
		Detail: "the commit is no longer on branch " + policy.Quote(r.work.Source.Branch),
	}
	p.Revoked, p.Judgements = true, nil
	result := Result{Verdict: policy.Verdict{Outcome: policy.Deny, Lane: policy.LaneRefuse, Commit: p.Commit, Findings: []policy.Finding{gone}}}
	for _, t := range r.work.Tiers {
		p.Judgements = append(p.Judgements, r.judgement(t, result.Verdict))
	}
	result.Proof = p
	return result
}

// current reports whether a proof of a commit on the branch can stay as it is: judged admissible
// under the policy in force, and delivered.
func (r *run) current(p change.Proof) bool {
	return !p.Revoked && r.delivered(p.Commit) && r.admissible(p)
}

func (r *run) delivered(commit string) bool {
	return slices.ContainsFunc(r.work.Delivered, func(d change.Delivered) bool { return d.Commit == commit })
}

// admissible reports whether every tier that judges this work found the proof admissible under the
// policy in force.
func (r *run) admissible(p change.Proof) bool {
	for _, t := range r.work.Tiers {
		if !slices.ContainsFunc(p.Judgements, func(j change.Judgement) bool {
			return j.Tier == t.Name && j.PolicyDigest == r.work.PolicyDigest(t) && j.Admissible == change.Present
		}) {
			return false
		}
	}
	return len(r.work.Tiers) > 0
}

func (r *run) known(commit string) (change.Proof, bool) {
	for _, p := range r.work.Known {
		if p.Commit == commit {
			return p, true
		}
	}
	return change.Proof{}, false
}
