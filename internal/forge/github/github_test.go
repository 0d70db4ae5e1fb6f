package github

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
)

func TestConformance(t *testing.T) {
	forgetest.Run(t, forge.GitHub, func(t *testing.T) forgetest.Stage {
		w := forgetest.NewWorld(t, forge.GitHub)
		return w.Seen(at(t, w.Access()))
	})
}

func at(t *testing.T, a forge.Access) *Forge {
	f, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMembers(t *testing.T) {
	f := at(t, forgetest.NewWorld(t, forge.GitHub).Access())
	got, err := f.Members(t.Context(), "acme/platform")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range got {
		ids = append(ids, a.ID)
	}
	if diff := cmp.Diff([]string{"100", "101", "105"}, ids); diff != "" {
		t.Error(diff)
	}
	forgetest.NotThere(t, f)
}
