package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// mirrors opens repositories for the prover: one mirror each, kept between looks.
type mirrors struct {
	dir      string // of all mirrors
	key      canon.Key
	renderer renderer
	schema   func() canon.Schema
	// credentials are those of a repository, from wherever the install keeps them.
	credentials func(ctx context.Context, repository string) (remoteAccess, error)
	// forges makes the reader of a repository's forge.
	forges func(ctx context.Context, r tier.Repository) (forge.Reader, error)
	now    func() time.Time
	// alarm is told what a person should look at: a ref that was rewound, a statement that is not
	// believed.
	alarm func(repository, what string)

	mu   sync.Mutex
	open map[string]*mirrored
}

// mirrored is one repository with what was read from its approval refs so far. The statements are
// kept although a ref may be rewound: what was said stays said (ruling 22).
type mirrored struct {
	digest    string // of the Repository it was opened for
	names     attest.Names
	dir       string // of everything that is kept of it
	mirror    *gitrepo.Mirror
	sightings *gitrepo.Sightings
	book      *book
	approvals []attest.Verified
	rollbacks []attest.Signed[attest.Rollback]
	envelopes []string        // of the roll-backs, in the same order
	told      map[string]bool // statements and refs that a person was told of
	renders   *renders
	desk      *desk // nil: no review on a forge counts
}

// Open fetches a repository and gives the rooms that prove its sources.
func (m *mirrors) Open(ctx context.Context, r tier.Repository, world *tier.World) (prover.Rooms, error) {
	at, err := m.of(ctx, r)
	if err != nil {
		return prover.Rooms{}, err
	}
	if r.FromForge && at.desk == nil {
		if at.desk, err = m.newDesk(ctx, r, at.dir); err != nil {
			return prover.Rooms{}, err
		}
	}
	moved, err := at.mirror.Fetch(ctx)
	if err != nil {
		return prover.Rooms{}, err
	}
	if err := m.see(ctx, r.Name, at, moved); err != nil {
		return prover.Rooms{}, err
	}
	keyring, _ := signature.NewKeyring(world.People)
	if err := m.readStatements(ctx, r.Name, at, keyring); err != nil {
		return prover.Rooms{}, err
	}
	return prover.Rooms{
		History: history{at.mirror.Repo},
		Commits: &commits{
			repo: at.mirror.Repo, keyring: keyring, forge: forgeKeys(r), sightings: at.sightings, now: m.now(), read: map[string]change.Commit{},
		},
		Statements: statementsOf(r, at),
		Forge:      m.hear(ctx, r, at, world),
		Renderer: sources{
			repo: at.mirror.Repo, mirrors: m, install: world.Install, clusterTier: world.Cluster, schema: world.Schema, done: at.renders,
		},
	}, nil
}

// Close closes what the repository holds open.
func (at *mirrored) Close() error {
	return errors.Join(at.mirror.Close(), at.sightings.Close(), at.book.Close())
}

// of is the mirror of a repository, opened again where its spec changed.
func (m *mirrors) of(ctx context.Context, r tier.Repository) (*mirrored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.open[r.Name]; ok && have.digest == r.Digest {
		return have, nil
	} else if ok {
		_ = have.Close() // its successor opens the same folder
		delete(m.open, r.Name)
	}
	credentials, err := m.credentials(ctx, r.Name)
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	sum := sha256.Sum256([]byte(r.URL)) // another URL is another mirror
	dir := filepath.Join(m.dir, r.Name+"-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the mirror's folder: %w", err)
	}
	mirror, err := gitrepo.Open(filepath.Join(dir, "git"), r.URL, gitrepo.Options{
		Branches: r.Branches, Credentials: credentials.Credentials, CAFile: credentials.caFile,
	})
	if err != nil {
		return nil, err
	}
	sightings, err := gitrepo.OpenSightings(filepath.Join(dir, "sightings"))
	if err != nil {
		return nil, errors.Join(err, mirror.Close())
	}
	statements, err := openBook(filepath.Join(dir, "statements"))
	if err != nil {
		return nil, errors.Join(err, mirror.Close(), sightings.Close())
	}
	have := &mirrored{
		digest: r.Digest, names: attest.Names{URL: r.URL, Aliases: r.Aliases}, dir: dir, mirror: mirror,
		sightings: sightings, book: statements, told: map[string]bool{}, renders: &renders{now: m.now},
	}
	m.open[r.Name] = have
	return have, nil
}

// mirrorOf is the open mirror of a repository; nil where there is none.
func (m *mirrors) mirrorOf(repository string) *gitrepo.Mirror {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.open[repository]; ok {
		return at.mirror
	}
	return nil
}

// unasked is why a repository's forge could not be asked in the last look; empty: it was, or none counts.
func (m *mirrors) unasked(repository string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.open[repository]; ok && at.desk != nil {
		return at.desk.told
	}
	return ""
}

// see remembers when the commits that a fetch brought were first seen. Those of a first fetch are
// seen when they are first looked at.
func (m *mirrors) see(ctx context.Context, name string, at *mirrored, moved []gitrepo.Moved) error {
	for _, ref := range moved {
		if ref.Rewound {
			m.alarm(name, fmt.Sprintf("%s was rewound from %s to %s", ref.Ref, ref.Before, ref.After))
			if branch, is := strings.CutPrefix(ref.Ref, "refs/heads/"); is && at.desk != nil {
				if err := at.desk.memory.rewritten(branch, m.now()); err != nil {
					return err
				}
			}
			continue
		}
		if ref.Before == "" || ref.After == "" {
			continue
		}
		ids, err := at.mirror.Unit(ctx, ref.Before, ref.After)
		if err != nil {
			return fmt.Errorf("listing what is new on %s: %w", ref.Ref, err)
		}
		for _, id := range ids {
			if _, err := at.sightings.First(id, m.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// signed names the principals who signed for a roll-back of a namespace to a commit.
func (m *mirrors) signed(key change.SourceKey, namespaceUID, url, commit, proof string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.open[key.Repository]
	if !ok {
		return nil
	}
	return attest.RollbackApprovers(at.rollbacks, attest.Return{
		Namespace: key.Namespace, NamespaceUID: namespaceUID, Commit: commit, Proof: proof,
		Source: attest.Source{Repository: url, Branch: key.Branch, Path: key.Path},
	}, m.now())
}

// rollbacksOfOne bounds how many statements of one principal a Delivery holds.
const rollbacksOfOne = 4

// envelopes are the statements that allow a way back of a source and are still in force, newest first,
// no more than a Delivery holds.
func (m *mirrors) envelopes(key change.SourceKey, namespaceUID, url string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.open[key.Repository]
	if !ok {
		return nil
	}
	source := attest.Source{Repository: url, Branch: key.Branch, Path: key.Path}
	var order []int
	for i, s := range at.rollbacks {
		said := s.Statement()
		if said.Namespace == key.Namespace && said.NamespaceUID == namespaceUID && said.Source == source &&
			m.now().Before(said.Expires) && len(at.envelopes[i]) <= store.RollbackSize {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return at.rollbacks[b].Statement().SaidAt.Compare(at.rollbacks[a].Statement().SaidAt)
	})
	var out []string
	of := map[string]int{} // by principal: nobody can push out what others have signed
	for _, i := range order {
		who := at.rollbacks[i].Principal()
		if of[who]++; of[who] <= rollbacksOfOne && len(out) < store.RollbackLimit {
			out = append(out, at.envelopes[i])
		}
	}
	return out
}

// history is a repository's, in the prover's words.
type history struct{ repo *gitrepo.Repo }

func (h history) Tip(ctx context.Context, branch string) (string, error) {
	return h.repo.Tip(ctx, branch)
}

func (h history) Place(ctx context.Context, branch, commit string) (int64, bool, error) {
	return h.repo.Place(ctx, branch, commit)
}

func (h history) Cover(ctx context.Context, base, head string, closure change.Closure, units []change.Unit) ([]change.Step, error) {
	steps, err := h.repo.Cover(ctx, gitrepo.CoverRequest{Base: base, Head: head, Closure: closure, Units: units})
	if errors.Is(err, gitrepo.ErrNotOnChain) || errors.Is(err, gitrepo.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", prover.ErrRewritten, err)
	}
	return steps, err
}

// commits reads commits and has their signatures verified, each once.
type commits struct {
	repo      *gitrepo.Repo
	keyring   *signature.Keyring
	forge     *signature.Keyring // of the forge's own keys
	sightings *gitrepo.Sightings
	now       time.Time
	read      map[string]change.Commit
}

func (c *commits) Verified(ctx context.Context, id string) (change.Commit, error) {
	if have, ok := c.read[id]; ok {
		return have, nil
	}
	object, err := c.repo.Object(ctx, id)
	var malformed *gitrepo.MalformedError
	if errors.As(err, &malformed) {
		// A commit that can be read in two ways is evidence against itself, not a failure to read.
		return change.Commit{ID: id, Signature: change.Signature{State: change.Malformed, Detail: malformed.Reason}}, nil
	}
	if err != nil {
		return change.Commit{}, err
	}
	seen, err := c.sightings.First(id, c.now)
	if err != nil {
		return change.Commit{}, err
	}
	commit := object.Commit
	commit.Signature = whoSigned(c.keyring, c.forge, object, seen)
	c.read[id] = commit
	return commit, nil
}

// whoSigned tells who signed a commit. A key that the forge has is the forge's, whoever else lists it.
func whoSigned(people, forge *signature.Keyring, object gitrepo.Object, seen time.Time) change.Signature {
	by := forge.VerifyCommit(object.Payload, object.Signature, object.Committer.When, seen)
	if by.State == change.Good {
		by.Principal, by.ByForge = "", true
		return by
	}
	return people.VerifyCommit(object.Payload, object.Signature, object.Committer.When, seen)
}

// forgeKeys are the keys with which the forge signs the commits that it makes.
func forgeKeys(r tier.Repository) *signature.Keyring {
	people, _ := tier.NewPeople("", []tier.TeamSpec{{Name: "forge", Principals: []tier.Principal{{Name: "forge", Robot: true, Keys: r.ForgeKeys}}}})
	keyring, _ := signature.NewKeyring(people)
	return keyring
}

// statements are the standing approvals of a repository.
type statements struct{ approvals []change.Approval }

// statementsOf are those of a repository whose signed statements count.
func statementsOf(r tier.Repository, at *mirrored) statements {
	if !r.FromRefs {
		return statements{}
	}
	return statements{approvals: attest.Fold(at.approvals)}
}

func (s statements) Approvals(context.Context) ([]change.Approval, error) { return s.approvals, nil }
