package gitea

import (
	"os"
	"slices"
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
	adapter "github.com/fairway-dev/fairway/internal/forge/gitea"
)

var shared Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

func reader(t *testing.T, s *Server) *adapter.Forge {
	t.Helper()
	f, err := adapter.New(forge.Access{URL: s.URL, Token: forge.NewSecret(s.Token(Reader)), AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestConformance plays the suite on the real forge: what is refused there was really tried. Stories
// that change accounts have the forge to themselves; the others, which mostly wait, are played side by
// side.
func TestConformance(t *testing.T) {
	server := shared.Server(t)
	for _, s := range forgetest.Stories() {
		if !s.ShownBy(forge.Gitea) || s.NotReal {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			if !slices.ContainsFunc(s.Acts, changesAccounts) {
				t.Parallel()
			}
			s.Play(t, NewStage(t, server, reader(t, server)))
		})
	}
}

func changesAccounts(a forgetest.Act) bool {
	return a.Do == forgetest.Gone || a.Do == forgetest.Rename || a.Do == forgetest.Hide
}
