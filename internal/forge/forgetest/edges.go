package forgetest

import (
	"errors"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// NotThere holds what an adapter says of what is not there.
func NotThere(t *testing.T, r forge.Reader) {
	t.Helper()
	nowhere := forge.Repository{Path: "acme/nowhere"}
	for what, ask := range map[string]func() error{
		"changes of no repository": func() error { _, err := r.Changes(t.Context(), nowhere, "main", time.Time{}); return err },
		"no change":                func() error { _, err := r.Dossier(t.Context(), forge.Repository{Path: "acme/shop"}, 99); return err },
		"no team":                  func() error { _, err := r.Members(t.Context(), "acme/nobody"); return err },
	} {
		if err := ask(); !errors.Is(err, forge.ErrGone) {
			t.Errorf("%s: %v, want %v", what, err, forge.ErrGone)
		}
	}
}
