package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

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
	unasked := at.desk.look(ctx, at.mirror, r.Branches)
	if unasked != "" && unasked != at.desk.told {
		m.alarm(r.Name, "the forge cannot be asked: "+unasked)
	}
	at.desk.told = unasked
	return &deskView{
		desk: at.desk, mirror: at.mirror, address: r.URL, people: world.People, unasked: unasked, again: map[int64]change.Proposal{},
	}
}

// noForge is a forge that cannot be asked, and why.
type noForge struct{ why error }

// Changes fails.
func (n noForge) Changes(context.Context, forge.Repository, string, time.Time) ([]forge.Change, error) {
	return nil, n.why
}

// Dossier fails.
func (n noForge) Dossier(context.Context, forge.Repository, int64) (forge.Dossier, error) {
	return forge.Dossier{}, n.why
}

// Members fails.
func (n noForge) Members(context.Context, string) ([]forge.Account, error) { return nil, n.why }
