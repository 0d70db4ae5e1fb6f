package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/origin"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// inspector judges revisions of a clone with the very rooms that serve judges with.
type inspector struct {
	repo    *gitrepo.Repo
	world   *tier.World
	schemas *schemas
	tips    clone
	renders renderer
	keyring *signature.Keyring
	proofs  client.Reader // of the cluster; nil: there is none
	rooms   prover.Rooms  // but for what the Repository decides: see roomsFor
}

// inspect judges a revision for each source of a namespace that delivers it.
func inspect(ctx context.Context, o cli.InspectOptions) ([]cli.Inspection, error) {
	in, err := newInspector(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.repo.Close() }()
	head, err := in.repo.Resolve(ctx, o.Revision)
	if err != nil {
		return nil, unknownName(o.Revision, err)
	}
	works, err := in.works(o)
	if err != nil {
		return nil, mistaken(err)
	}
	var found []cli.Inspection
	for _, work := range works {
		i, err := in.one(ctx, work, head)
		if err != nil {
			return nil, err
		}
		if o.Object != "" {
			if i.Differs, err = in.differs(ctx, work, i.Commit, o.Object); err != nil {
				return nil, err
			}
		}
		found = append(found, i)
	}
	return found, nil
}

func newInspector(ctx context.Context, o cli.InspectOptions) (*inspector, error) {
	kinds, err := readKinds(ctx, o.Dir, o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	in, system := &inspector{schemas: newSchemas()}, cli.SystemNamespaces()
	if o.Dir == "" {
		cluster, err := ask(o.Kubeconfig)
		if err != nil {
			return nil, err
		}
		in.proofs, system = cluster.client, systemOf(ctx, cluster.client)
	}
	if err := in.schemas.define(kinds.CRDs); err != nil {
		return nil, err
	}
	in.world = store.Compile(kinds, store.Settings{Namespace: o.Own, System: system, Sealed: true, Schema: in.schemas.digest()}, nil)
	if in.repo, err = openClone(ctx, o.Clone); err != nil {
		return nil, err
	}
	// The digests of a look never leave the process, so any key does.
	secret := make([]byte, canon.MinKey)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
	key, err := canon.NewKey(secret)
	if err != nil {
		return nil, errors.Join(err, in.repo.Close())
	}
	keyring, _ := signature.NewKeyring(in.world.People)
	approvals, err := cloneApprovals(ctx, in.repo, keyring)
	if err != nil {
		return nil, errors.Join(err, in.repo.Close())
	}
	in.tips = clone{history: history{in.repo}, remote: o.Remote}
	if in.renders, err = newRenderer(in.schemas); err != nil {
		return nil, errors.Join(err, in.repo.Close())
	}
	m := &mirrors{key: key, renderer: in.renders, schema: func() canon.Schema { return in.schemas.current() }}
	in.keyring = keyring
	in.rooms = prover.Rooms{
		History: in.tips, Statements: statements{approvals},
		Renderer: sources{repo: in.repo, mirrors: m, install: in.world.Install, clusterTier: in.world.Cluster},
	}
	return in, nil
}

// works are the sources of the namespace that deliver the clone's repository.
func (in *inspector) works(o cli.InspectOptions) ([]prover.Work, error) {
	if _, ok := in.world.Namespaces[o.Namespace]; !ok {
		if o.Dir != "" {
			return nil, fmt.Errorf("there is no namespace %q in %q", o.Namespace, o.Dir)
		}
		return nil, fmt.Errorf("there is no namespace %q", o.Namespace)
	}
	t, b := in.world.Tier(o.Namespace)
	if o.Namespace == o.Own && in.world.Cluster != nil {
		t, b = in.world.ClusterTier()
	}
	if b == nil {
		return nil, fmt.Errorf("namespace %q has no binding, so nothing is delivered to it", o.Namespace)
	}
	var works []prover.Work
	var repositories []string
	for _, s := range b.Sources {
		if o.Repository != "" && s.Repository != o.Repository {
			continue
		}
		repositories = append(repositories, s.Repository)
		works = append(works, prover.Work{
			Tiers: []tier.Tier{t}, Binding: *b, Source: s, Repository: in.world.Repositories[s.Repository],
			People: in.world.People, Schema: in.world.Schema,
		})
	}
	slices.Sort(repositories)
	if repositories = slices.Compact(repositories); len(repositories) > 1 {
		return nil, fmt.Errorf("namespace %q has sources of several repositories (%s): name the clone's with --repository", o.Namespace, strings.Join(repositories, ", "))
	}
	if len(works) == 0 {
		return nil, fmt.Errorf("namespace %q has no source of repository %q", o.Namespace, o.Repository)
	}
	return works, nil
}

// one judges a revision for one source. A revision that has not landed is judged as the merge that
// landing it now would make.
func (in *inspector) one(ctx context.Context, work prover.Work, head string) (cli.Inspection, error) {
	work.Only = head
	tip, err := in.tips.Tip(ctx, work.Source.Branch)
	if err != nil {
		return cli.Inspection{}, in.tips.unknown(work.Source.Branch, err)
	}
	base, err := in.repo.MergeBase(ctx, tip, head)
	if err != nil {
		return cli.Inspection{}, fmt.Errorf("comparing with branch %q: %w", work.Source.Branch, err)
	}
	if base != head {
		if err := in.ahead(ctx, &work, tip, base, head); err != nil {
			return cli.Inspection{}, err
		}
	}
	results, err := prover.Prove(ctx, in.roomsFor(work), work, time.Now())
	if err != nil {
		return cli.Inspection{}, err
	}
	return inspectionOf(work, head, results[0]), nil
}

// roomsFor are the rooms as the repository of a work lets them count.
func (in *inspector) roomsFor(work prover.Work) prover.Rooms {
	r := work.Repository
	rooms := in.rooms
	rooms.Commits = claimed{repo: in.repo, keyring: in.keyring, forge: forgeKeys(r)}
	if !r.FromRefs {
		rooms.Statements = statements{}
	}
	if r.FromForge {
		rooms.Forge = unheard{in.proofs, work}
	}
	return rooms
}

// ahead turns the work into a look at the merge of head into tip. A change that conflicts with its
// branch cannot land as it is, so the answer is no.
func (in *inspector) ahead(ctx context.Context, work *prover.Work, tip, base, head string) error {
	merge, clean, err := in.repo.Ahead(ctx, tip, head)
	if err != nil {
		return err
	}
	if !clean {
		return &cli.Exit{Code: cli.ExitNo, Err: fmt.Errorf("%s conflicts with branch %q: merge or rebase it, then have it reviewed again", head[:12], work.Source.Branch)}
	}
	id, err := in.repo.RawDiffID(ctx, base, head)
	if err != nil {
		return err
	}
	work.Only, work.Ahead = merge, &change.Unit{MergeBase: base, Head: head, RawDiffID: id}
	return nil
}

// differs names the fields in which a live object differs from what the source renders at a commit.
func (in *inspector) differs(ctx context.Context, work prover.Work, commit, file string) ([]string, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, mistaken(err)
	}
	object, err := canon.Parse(raw)
	if err != nil {
		return nil, mistaken(fmt.Errorf("reading %q, which kubectl get -o json --show-managed-fields makes: %w", file, err))
	}
	tree, err := in.repo.Tree(ctx, commit)
	if err != nil {
		return nil, err
	}
	result, refusal, err := in.renders.Render(ctx, treeFS{tree}, renderSource(work.Source, work.Binding.Namespace))
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	for _, o := range result.Objects {
		if o.ID == object.ID() {
			if err := origin.MarksOf(work.Source.Via, o.ID, work.Binding.Namespace).Add(o.Content); err != nil {
				return nil, err
			}
			return canon.Differ(object, work.Source.FieldManager, o.Content, in.schemas.current())
		}
	}
	return []string{"(the source does not render this object)"}, nil
}

// inspectionOf is a result in the words of the command line.
func inspectionOf(work prover.Work, head string, r prover.Result) cli.Inspection {
	i := cli.Inspection{
		Namespace: work.Binding.Namespace, Tier: work.Tiers[0].Name, Source: work.Source.Name,
		Repository: work.Repository.Name, Branch: work.Source.Branch, Commit: head, Ahead: work.Ahead != nil,
	}
	i.Verdict, i.Message = r.Verdict.Outcome.String(), r.Verdict.Message()
	i.Author, i.Subject, i.Approvers = r.Proof.Author, r.Proof.Subject, r.Proof.Approvers
	i.Objects, i.Base, i.When = len(r.Proof.Objects), r.Proof.Base, r.Evidence.Commit.Committer.When
	for _, t := range r.Proof.Trailers {
		i.Trailers = append(i.Trailers, t.Key+": "+t.Value)
	}
	for _, s := range r.Evidence.Steps {
		i.Steps = append(i.Steps, stepOf(s, head))
	}
	for _, f := range r.Verdict.Findings {
		i.Findings = append(i.Findings, cli.Finding{
			Code: string(f.Code), Outcome: f.Outcome.String(), Reason: f.Reason, Detail: f.Detail, Remedy: f.Remedy, Who: f.Who,
		})
	}
	return i
}

func stepOf(s change.Step, head string) cli.Step {
	out := cli.Step{Commits: []string{head}, State: "uncovered"}
	if n := len(s.Commits); n > 0 {
		out.Commits, out.Subject = nil, s.Commits[n-1].Subject
		for _, c := range s.Commits {
			out.Commits = append(out.Commits, c.ID)
		}
	}
	switch {
	case s.Touches == change.Absent:
		out.State = "untouched"
	case s.Undone == change.Present:
		out.State = "undone"
	case s.Landing != nil && s.Landing.Proven == change.Present:
		out.State = "landed"
		for _, a := range s.Landing.Approvals {
			out.Approvers = append(out.Approvers, a.Principal)
		}
	}
	return out
}

// clone is the history of a clone: its branches are those of a remote as it was fetched last.
type clone struct {
	history
	remote string
}

func (c clone) Tip(ctx context.Context, branch string) (string, error) {
	if c.remote != "" {
		return c.repo.Resolve(ctx, "refs/remotes/"+c.remote+"/"+branch)
	}
	return c.repo.Tip(ctx, branch)
}

// unknown is why a branch of the clone could not be looked up.
func (c clone) unknown(branch string, err error) error {
	err = fmt.Errorf("looking up branch %q: %w", branch, err)
	if !errors.Is(err, gitrepo.ErrNotFound) {
		return err
	}
	if c.remote != "" {
		err = fmt.Errorf("%w; git fetch %s brings it, or name another with --remote", err, c.remote)
	}
	return mistaken(err)
}

func (c clone) Place(ctx context.Context, branch, commit string) (int64, bool, error) {
	tip, err := c.Tip(ctx, branch)
	if err != nil {
		return 0, false, err
	}
	height, err := c.repo.Height(ctx, commit)
	if err != nil {
		return 0, false, err
	}
	_, err = c.repo.Chain(ctx, commit, tip)
	if errors.Is(err, gitrepo.ErrNotOnChain) {
		return height, false, nil
	}
	return height, err == nil, err
}

// claimed verifies the commits of a clone. When a commit was first seen is not known there, so its
// own date is taken: a look before merging warns, and only the gate admits.
type claimed struct {
	repo    *gitrepo.Repo
	keyring *signature.Keyring
	forge   *signature.Keyring // of the forge's own keys
}

func (c claimed) Verified(ctx context.Context, id string) (change.Commit, error) {
	object, err := c.repo.Object(ctx, id)
	if err != nil {
		return change.Commit{}, err
	}
	commit := object.Commit
	commit.Signature = whoSigned(c.keyring, c.forge, object, commit.Committer.When)
	return commit, nil
}

// cloneApprovals are the standing approvals that a clone holds.
func cloneApprovals(ctx context.Context, repo *gitrepo.Repo, v attest.Verifier) ([]change.Approval, error) {
	refs, err := repo.Refs(ctx, attest.RefPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing approvals: %w", err)
	}
	var verified []attest.Verified
	for _, ref := range refs {
		log, err := wholeLog(ctx, repo, ref)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", ref.Name, err)
		}
		for _, entry := range log {
			for _, envelope := range entry.Files {
				record := attest.Record{Ref: ref.Name, Sequence: len(verified), Commit: entry.Commit, SeenAt: time.Now(), Envelope: envelope}
				if approval, no := attest.FromRef(record, v); no == nil {
					verified = append(verified, approval)
				}
			}
		}
	}
	return attest.Fold(verified), nil
}

// wholeLog reads all pages of a ref's log.
func wholeLog(ctx context.Context, repo *gitrepo.Repo, ref gitrepo.Ref) ([]gitrepo.LogEntry, error) {
	var all []gitrepo.LogEntry
	for last := ""; last != ref.ID; {
		page, err := repo.ReadRefLog(ctx, ref.Name, last)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		last = page[len(page)-1].Commit
	}
	return all, nil
}
