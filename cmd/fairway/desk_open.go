package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/tier"
)

// newDesk is the desk of a repository whose forge's reviews count. A forge that cannot be spoken to is
// one that cannot be asked: what is approved otherwise goes on.
func (m *mirrors) newDesk(ctx context.Context, r tier.Repository, dir string) (*desk, error) {
	at := tier.Forge{Host: "forge"}
	var reader forge.Reader = noForge{errors.New("the Repository does not say which")}
	if r.Forge != nil {
		at = *r.Forge
		made, err := m.forges(ctx, r)
		if reader = made; err != nil {
			reader = noForge{err}
		}
	}
	memory, err := openMemory(filepath.Join(dir, "forge"))
	if err != nil {
		return nil, err
	}
	return newDesk(reader, at, memory, m.now), nil
}

// hear looks at a repository's forge, if its reviews count.
func (m *mirrors) hear(ctx context.Context, r tier.Repository, at *mirrored, world *tier.World) prover.Forge {
	if !r.FromForge || at.desk == nil {
		return nil
	}
	v := &deskView{
		desk: at.desk, mirror: at.mirror, address: r.URL, people: world.People, again: map[int64]change.Proposal{}, tips: map[string]string{}, left: at.desk.patience,
	}
	unasked := v.look(ctx, r.Branches)
	if unasked != "" && unasked != at.desk.told {
		m.alarm(r.Name, "the forge cannot be asked: "+unasked)
	}
	at.desk.told, v.unasked = unasked, unasked
	return v
}

// noForge is a forge that cannot be asked, and why.
type noForge struct{ why error }

// Changes fails.
func (n noForge) Changes(context.Context, forge.Repository, forge.Span) (forge.Listing, error) {
	return forge.Listing{}, n.why
}

// Dossier fails.
func (n noForge) Dossier(context.Context, forge.Repository, int64) (forge.Dossier, error) {
	return forge.Dossier{}, n.why
}

// Members fails.
func (n noForge) Members(context.Context, string) ([]forge.Account, error) { return nil, n.why }

// readOpen reads open changes that something happened to.
func (v *deskView) readOpen(ctx context.Context) error {
	left := deskReadings
	for _, c := range v.ordered() {
		if c.State != forge.Open || left == 0 || v.read[c.Number].Equal(c.UpdatedAt) {
			continue
		}
		left--
		dossier, err := v.reader.Dossier(ctx, v.repository(), c.Number)
		if errors.Is(err, forge.ErrTooMuch) || errors.Is(err, forge.ErrGone) || errors.Is(err, forge.ErrAnswer) {
			v.read[c.Number] = c.UpdatedAt
			continue // it is one change's, and is told where that one is judged
		}
		if err == nil {
			err = v.memory.see(dossier)
		}
		if err == nil && slices.ContainsFunc(dossier.Reviews, v.isApproval) {
			err = v.fetchReviewed(ctx, dossier)
		}
		if err != nil {
			return err
		}
		v.read[c.Number] = c.UpdatedAt
	}
	return nil
}

// isApproval reports whether a review is an approval by somebody who is known.
func (v *deskView) isApproval(r forge.Review) bool {
	_, robot, known := v.principal(r.Reviewer, r.SubmittedAt)
	return r.Opinion == forge.Approved && known && !robot
}
