package prover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// ErrRewritten is what History.Cover reports where the base is not on the first-parent chain of
// the head: the history was rewritten, or the head is no descendant.
var ErrRewritten = errors.New("base is not on the first-parent chain")

// base is the newest commit at or before head from which coverage may start: that of the newest
// grounded proof, else the repository's baseline.
//
// A proof serves as base only for what it read itself. Where head reads a file that the proof did
// not, a change of that file before the proof was never looked at, so coverage starts at the
// baseline again; judge makes that choice, since it knows what head reads.
func (r *run) base(ctx context.Context, head string) string {
	height, _, err := r.rooms.History.Place(ctx, r.work.Source.Branch, head)
	if err != nil {
		return r.work.Repository.Baseline
	}
	return r.below(height + 1)
}

// below is the commit of the newest grounded proof below a height, else the baseline.
func (r *run) below(height int64) string {
	for _, p := range slices.Backward(r.work.Known) {
		if p.Height < height && r.grounded(p) {
			return p.Commit
		}
	}
	return r.work.Repository.Baseline
}

// grounded reports whether what came after a proof may be covered from it: it is on the branch, and
// its commit was admitted in the namespace, or would be now. A judgement under another policy is no
// ground, and nor is one that was taken back before anything of it was delivered (rulings 4 and 22).
func (r *run) grounded(p change.Proof) bool {
	return !p.Revoked && (r.delivered(p.Commit) || r.admissible(p))
}

// judge gathers the evidence for one commit and has it judged.
func (r *run) judge(ctx context.Context, commit, base string) (Result, error) {
	ev := change.Evidence{
		Repository: r.work.Repository.Name, URL: r.work.Repository.URL, Branch: r.work.Source.Branch,
		Source: r.work.Source.Name, Namespace: r.work.Binding.Namespace, Base: base, Unasked: r.unasked,
	}
	r.heard, r.takenBack = nil, false
	var err error
	if ev.Commit, err = r.rooms.Commits.Verified(ctx, commit); err != nil {
		return Result{}, fmt.Errorf("reading commit %q: %w", commit, err)
	}
	height, on, err := r.rooms.History.Place(ctx, ev.Branch, commit)
	if err != nil {
		return Result{}, fmt.Errorf("placing commit %q on branch %q: %w", commit, ev.Branch, err)
	}
	ev.OnBranch = change.FoundIf(on && slices.Contains(r.work.Repository.Branches, ev.Branch))
	rendered, err := r.render(ctx, commit)
	if err != nil {
		return Result{}, err
	}
	ev.Rendered, ev.RenderDetail = change.FoundIf(rendered.Refusal == ""), rendered.Refusal
	if err := r.cover(ctx, &ev, rendered.Closure); err != nil {
		return Result{}, err
	}
	if r.work.Ahead != nil {
		foresee(&ev)
	}
	result := Result{Proof: r.proof(ev, rendered, height), Evidence: ev}
	for i, t := range r.work.Tiers {
		verdict := policy.Evaluate(t, r.work.Binding, r.work.People, seenBy(t, ev))
		result.Proof.Judgements = append(result.Proof.Judgements, r.judgement(t, verdict))
		if i == 0 {
			result.Verdict = verdict
		}
	}
	return result, nil
}

// foresee makes the evidence for a merge that was not made yet that of the merge that will be: it is
// on the branch, and the commit of its landing is somebody's to make and sign. What stands in its
// place is the head of what lands.
func foresee(ev *change.Evidence) {
	ev.OnBranch = change.Present
	for i := range ev.Steps {
		s := &ev.Steps[i]
		if s.Landing == nil || len(s.Commits) != 1 || s.Commits[0].ID != ev.Commit.ID {
			continue
		}
		if n := len(s.Landing.Commits); n > 0 {
			s.Commits = s.Landing.Commits[n-1:]
			ev.Commit = s.Commits[0]
		}
	}
}

// seenBy is the evidence as one tier may use it: a branch that the tier does not name is no
// protected one to it, and an approval that was given for other tiers says nothing here.
func seenBy(t tier.Tier, ev change.Evidence) change.Evidence {
	if len(t.Branches) > 0 && !slices.Contains(t.Branches, ev.Branch) {
		ev.OnBranch = change.Absent
	}
	ev.Steps = slices.Clone(ev.Steps)
	for i, s := range ev.Steps {
		if s.Landing == nil {
			continue
		}
		landing := *s.Landing
		landing.Approvals = slices.DeleteFunc(slices.Clone(landing.Approvals), func(a change.Approval) bool {
			return len(a.Tiers) > 0 && !slices.Contains(a.Tiers, t.Name)
		})
		ev.Steps[i].Landing = &landing
	}
	return ev
}

// cover fills Continuous and Steps.
func (r *run) cover(ctx context.Context, ev *change.Evidence, after change.Closure) error {
	if ev.Base == "" {
		ev.Continuous = change.Absent // no proof and no baseline: there is nothing to start from
		return nil
	}
	if ev.Base != r.work.Repository.Baseline {
		p, ok := r.known(ev.Base)
		if !ok || !readsWithin(after, p.Closure) {
			ev.Base = r.work.Repository.Baseline
		}
	}
	if ev.Base == "" {
		ev.Continuous = change.Absent
		return nil
	}
	before, err := r.render(ctx, ev.Base)
	if err != nil {
		return err
	}
	steps, err := r.rooms.History.Cover(ctx, ev.Base, ev.Commit.ID, unite(before.Closure, after), r.units())
	if errors.Is(err, ErrRewritten) {
		ev.Continuous = change.Absent
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the history %s..%s: %w", ev.Base, ev.Commit.ID, err)
	}
	ev.Continuous = change.Present
	for i := range steps {
		if err := r.fill(ctx, ev, &steps[i]); err != nil {
			return err
		}
	}
	ev.Steps = steps
	return nil
}

// units are the change units that somebody approved, and the one that is to land.
func (r *run) units() []change.Unit {
	var units []change.Unit
	if r.work.Ahead != nil {
		units = append(units, *r.work.Ahead)
	}
	for _, a := range r.approvals {
		units = append(units, change.Unit{MergeBase: a.MergeBase, Head: a.Head, RawDiffID: a.RawDiffID})
	}
	units = append(units, r.proposed()...)
	seen := map[change.Unit]bool{}
	return slices.DeleteFunc(units, func(u change.Unit) bool {
		again := seen[u] || u.RawDiffID == ""
		seen[u] = true
		return again
	})
}

// fill verifies the commits of a step that touches the source, and finds who contributed to its
// landing and who approved it. A step that touches nothing is left alone: nothing is asked of it.
func (r *run) fill(ctx context.Context, ev *change.Evidence, step *change.Step) error {
	if step.Touches == change.Absent || step.Undone == change.Present {
		return nil
	}
	if err := r.verify(ctx, step.Commits); err != nil {
		return err
	}
	if step.Landing == nil {
		return nil
	}
	if err := r.verify(ctx, step.Landing.Commits); err != nil {
		return err
	}
	step.Landing.Contributors = contributors(r.work.People, *step)
	for _, a := range r.approvals {
		if r.speaksOf(a, *step.Landing, ev.Branch) {
			step.Landing.Approvals = append(step.Landing.Approvals, a)
		}
	}
	return r.hear(ctx, ev, step.Landing)
}

// speaksOf reports whether an approval is about exactly this landing, here. An approval said of
// another repository, branch, merge base or content says nothing about it.
func (r *run) speaksOf(a change.Approval, l change.Landing, branch string) bool {
	return a.Decision == change.Approve && a.Repository == r.work.Repository.URL && a.Branch == branch &&
		a.MergeBase == l.MergeBase && a.RawDiffID == l.RawDiffID
}

func (r *run) verify(ctx context.Context, commits []change.Commit) error {
	for i, c := range commits {
		verified, err := r.rooms.Commits.Verified(ctx, c.ID)
		if err != nil {
			return fmt.Errorf("verifying commit %q: %w", c.ID, err)
		}
		commits[i] = verified
	}
	return nil
}

// contributors are the principals who wrote a unit or its landed form, sorted. Whoever only
// merged it contributed nothing, since the landed tree is proven to be the merge of the unit: the
// author and committer of a merge commit and the committer of a squash or rebase do not count.
func contributors(people tier.People, step change.Step) []string {
	var all []string
	add := func(address string) {
		name, ok := people.ByEmail(address)
		if !ok {
			name = "<" + strings.ToLower(address) + ">"
		}
		all = append(all, name)
	}
	for _, c := range step.Landing.Commits {
		add(c.Author.Email)
		add(c.Committer.Email)
		if c.Signature.State == change.Good && c.Signature.Principal != "" {
			all = append(all, c.Signature.Principal)
		}
		for _, address := range coAuthors(c) {
			add(address)
		}
	}
	for _, c := range step.Commits {
		if len(c.Parents) > 1 {
			continue
		}
		add(c.Author.Email)
		for _, address := range coAuthors(c) {
			add(address)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// coAuthors are the addresses of the Co-authored-by trailers of a commit.
func coAuthors(c change.Commit) []string {
	var addresses []string
	for _, t := range c.Trailers {
		if !strings.EqualFold(t.Key, "Co-authored-by") {
			continue
		}
		if _, rest, ok := strings.Cut(t.Value, "<"); ok {
			address, _, _ := strings.Cut(rest, ">")
			addresses = append(addresses, address)
		}
	}
	return addresses
}

func (r *run) render(ctx context.Context, commit string) (Rendered, error) {
	if have, ok := r.rendered[commit]; ok {
		return have, nil
	}
	rendered, err := r.rooms.Renderer.Render(ctx, commit, r.work.Source, r.work.Binding.Namespace)
	if err != nil {
		return Rendered{}, fmt.Errorf("rendering source %q at %q: %w", r.work.Source.Name, commit, err)
	}
	r.rendered[commit] = rendered
	return rendered, nil
}

func (r *run) proof(ev change.Evidence, rendered Rendered, height int64) change.Proof {
	return change.Proof{
		Key: r.work.Key(), Source: ev.Source, Commit: ev.Commit.ID, Tree: ev.Commit.Tree, Height: height,
		ProvenAt: r.now, Base: ev.Base, Closure: rendered.Closure, Objects: rendered.Objects,
		Subject: ev.Commit.Subject, Author: authorName(r.work.People, ev), Trailers: ev.Commit.Trailers,
		Approvers: approvers(ev), Approvals: approvals(ev), Reviews: slices.Clone(r.heard), Revoked: ev.OnBranch != change.Present,
	}
}

func (r *run) judgement(t tier.Tier, v policy.Verdict) change.Judgement {
	j := change.Judgement{
		Tier: t.Name, PolicyDigest: r.work.PolicyDigest(t), Missing: missing(v),
		Admissible: change.FoundIf(v.Outcome == policy.Allow), Pending: v.Outcome == policy.Pending,
	}
	if v.Outcome == policy.Unknown {
		j.Admissible = change.CouldNotTell
	}
	return j
}

// authorName is who wrote the change, for people: the principals who contributed to the newest
// landing, else the author of the commit as it is spelled.
func authorName(people tier.People, ev change.Evidence) string {
	for i := len(ev.Steps) - 1; i >= 0; i-- {
		if l := ev.Steps[i].Landing; l != nil && len(l.Contributors) > 0 {
			return strings.Join(l.Contributors, ", ")
		}
	}
	if name, ok := people.ByEmail(ev.Commit.Author.Email); ok {
		return name
	}
	return ev.Commit.Author.Name
}

func approvers(ev change.Evidence) []string {
	var names []string
	for _, a := range approvals(ev) {
		names = append(names, a.Principal)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func approvals(ev change.Evidence) []change.Approval {
	var all []change.Approval
	for _, s := range ev.Steps {
		if s.Landing != nil {
			all = append(all, s.Landing.Approvals...)
		}
	}
	return all
}

// missing is one line for each unmet finding.
func missing(v policy.Verdict) []string {
	var lines []string
	for _, f := range v.Findings {
		if f.Outcome != policy.Allow {
			lines = append(lines, f.Line())
		}
	}
	return lines
}

// readsWithin reports whether everything in a is also in b, so that coverage of b covers a.
func readsWithin(a, b change.Closure) bool {
	return a.Prefix == b.Prefix && within(a.Files, b, b.Files) && within(a.Dirs, b, b.Dirs) && within(a.Missing, b, b.Missing)
}

func within(paths []string, b change.Closure, have []string) bool {
	for _, p := range paths {
		if !under(p, b.Prefix) && !slices.Contains(have, p) {
			return false
		}
	}
	return true
}

func under(path, prefix string) bool {
	return prefix == "." || path == prefix || strings.HasPrefix(path, prefix+"/")
}

// unite is the union of two closures of one source.
func unite(a, b change.Closure) change.Closure {
	return change.Closure{
		Prefix: b.Prefix, Files: union(a.Files, b.Files), Dirs: union(a.Dirs, b.Dirs), Missing: union(a.Missing, b.Missing),
	}
}

func union(a, b []string) []string {
	c := append(slices.Clone(a), b...)
	slices.Sort(c)
	return slices.Compact(c)
}
