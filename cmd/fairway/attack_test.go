package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/cli"
)

// The attacks that were tried on the whole and that got through at first. Each keeps its name.

// TestRuling22WithdrawnUnderALaterChange takes an approval back before anything was delivered; what was
// landed and proven on top of it must not carry the content in.
func TestRuling22WithdrawnUnderALaterChange(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	second := l.land("sara", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter", "summer", 1)}, "sam", "paula")
	l.look()
	dry := l.apply(story.Web(2, "", "2.0"), second)
	dry.DryRun = true
	l.admits("proven", dry)
	l.approve("sam", first+"^2", func(o *cli.ApproveOptions) { o.Withdraw = true })
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), second), "FW103", first[:7])
}

// TestRuling04RevokedKeyUnderALaterChange: what somebody approved whose key is revoked since is no
// ground that later changes are covered from, unless it was delivered.
func TestRuling04RevokedKeyUnderALaterChange(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.edit("teams.yaml", l.shop.People["sam"].PublicKey()+`"}`, l.shop.People["sam"].PublicKey()+`", revokedAt: 2020-01-01T00:00:00Z}`)
	second := l.land("pete", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter", "summer", 1)}, "sara")
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), second), first[:7])
}

// TestRepositoryMovedToAnotherURL: proofs of the repository that had the name before neither stop those
// of the one that has it now, nor count as what those are covered from.
func TestRepositoryMovedToAnotherURL(t *testing.T) {
	l := newLab(t)
	old := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), old))
	other, err := story.NewShop(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := other.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.edit("repository.yaml", l.shop.Repo.URL(), other.Repo.URL())
	oldBase, _, _ := strings.Cut(strings.SplitN(readWorld(t, l, "repository.yaml"), "baseline: ", 2)[1], "\n")
	l.edit("repository.yaml", oldBase, base)
	l.look()
	l.server = story.NewServer()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), old), "FW206")
	revoked := map[string]bool{}
	for _, p := range l.in.directory.shelf.Index.Of(shopKeyOf()) {
		revoked[p.Commit] = p.Revoked
	}
	if diff := cmp.Diff(map[string]bool{oldBase: true, old: true, base: false}, revoked); diff != "" {
		t.Errorf("which proofs are revoked (-want +got):\n%s", diff)
	}
}

func readWorld(t *testing.T, l *lab, name string) string {
	t.Helper()
	raw, err := os.ReadFile(l.shop.World(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
