package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/signature"
)

// statementFile is the name of the envelope in each commit of an approval ref.
const statementFile = "statement.json"

// passphrase reads the passphrase of a key from the environment: a prompt would need a terminal
// where there often is none.
func passphrase() ([]byte, error) {
	if p, ok := os.LookupEnv("FAIRWAY_KEY_PASSPHRASE"); ok {
		return []byte(p), nil
	}
	return nil, errors.New("the key has a passphrase; give it in FAIRWAY_KEY_PASSPHRASE or use ssh-agent")
}

// approve signs an approval of a change unit, keeps it on the principal's ref and sends it.
func approve(ctx context.Context, o cli.ApproveOptions) (cli.Approved, error) {
	signer, err := signature.LoadSigner(o.Key, passphrase)
	if err != nil {
		return cli.Approved{}, mistaken(err)
	}
	if !address(o.Repository) {
		return cli.Approved{}, mistaken(fmt.Errorf("repository %q is no URL: give spec.url of the Repository, or one of its aliases", o.Repository))
	}
	repo, err := openClone(ctx, o.Dir)
	if err != nil {
		return cli.Approved{}, err
	}
	defer func() { _ = repo.Close() }()
	said := attest.Approval{Repository: o.Repository, Branch: o.Branch, Tiers: o.Tiers, Decision: change.Approve, SaidAt: time.Now()}
	if o.Withdraw {
		said.Decision = change.Withdraw
	}
	if err := unit(ctx, repo, o, &said); err != nil {
		return cli.Approved{}, err
	}
	envelope, err := attest.SignApproval(said, signer)
	if err != nil {
		return cli.Approved{}, mistaken(err)
	}
	verb := "approve"
	if o.Withdraw {
		verb = "withdraw"
	}
	at, err := record(ctx, repo, kept{
		principal: o.As, remote: o.Remote, message: verb + " " + said.Head, envelope: envelope, object: said.Head,
	})
	if err != nil {
		return cli.Approved{}, err
	}
	return cli.Approved{
		Statement: at, Head: said.Head, MergeBase: said.MergeBase, RawDiffID: said.RawDiffID,
		Decision: string(said.Decision), Fingerprint: signer.Fingerprint(), Pushed: o.Remote != "",
	}, nil
}

// unit fills in what is approved: the change from its merge base to its head.
func unit(ctx context.Context, repo *gitrepo.Repo, o cli.ApproveOptions, said *attest.Approval) error {
	head, err := repo.Resolve(ctx, o.Revision)
	if err != nil {
		return unknownName(o.Revision, err)
	}
	said.Head = head
	if said.MergeBase, err = unitBase(ctx, repo, o, head); err != nil {
		return err
	}
	object, err := repo.Object(ctx, head)
	if err != nil {
		return fmt.Errorf("reading %q: %w", head, err)
	}
	said.HeadTree = object.Tree
	said.RawDiffID, err = repo.RawDiffID(ctx, said.MergeBase, head)
	if err != nil {
		return fmt.Errorf("comparing %s with %s: %w", said.MergeBase, head, err)
	}
	return nil
}

// unitBase is the commit that a unit was forked from: what the user says, else the merge base with
// the branch. A unit that landed is its own merge base; there the base is the one it had with the
// branch just before it landed.
func unitBase(ctx context.Context, repo *gitrepo.Repo, o cli.ApproveOptions, head string) (string, error) {
	if o.Base != "" {
		base, err := repo.Resolve(ctx, o.Base)
		if err != nil {
			return "", unknownName(o.Base, err)
		}
		return base, nil
	}
	upstream := o.Branch
	if o.Remote != "" {
		upstream = "refs/remotes/" + o.Remote + "/" + o.Branch
	}
	tip, err := repo.Resolve(ctx, upstream)
	if err != nil {
		return "", mistaken(fmt.Errorf("looking up branch %q (fetch it, or name the fork point with --base): %w", upstream, err))
	}
	base, err := repo.MergeBase(ctx, tip, head)
	if err != nil || base != head {
		return base, err
	}
	base, err = repo.LandedFrom(ctx, tip, head)
	if errors.Is(err, gitrepo.ErrNotFound) {
		return "", mistaken(fmt.Errorf("%s is the first commit of branch %q, so it was forked from nothing: name what it changes with --base", head[:12], upstream))
	}
	return base, err
}

// address reports whether s is spelled as the address of a Repository may be: a URL, or user@host:path.
func address(s string) bool {
	before, _, scp := strings.Cut(s, ":")
	return strings.Contains(s, "://") || scp && strings.Contains(before, "@")
}

// kept is a signed statement on its way to the ref of its principal.
type kept struct {
	principal string
	remote    string // to send it to; empty: it stays here
	message   string
	envelope  []byte
	object    string // the commit that the statement speaks of, which travels with it
}

// record keeps a statement and sends it. It returns the commit that holds it.
func record(ctx context.Context, repo *gitrepo.Repo, k kept) (string, error) {
	ref, err := attest.Ref(k.principal)
	if err != nil {
		return "", mistaken(err)
	}
	at, err := repo.Append(ctx, ref, k.message, map[string][]byte{statementFile: k.envelope}, []string{k.object})
	if err != nil {
		return "", fmt.Errorf("keeping the statement: %w", err)
	}
	if k.remote == "" {
		return at, nil
	}
	if err := repo.Push(ctx, k.remote, ref); err != nil {
		return "", fmt.Errorf("the statement is kept on %s here, but could not be sent: %w", ref, err)
	}
	return at, nil
}
