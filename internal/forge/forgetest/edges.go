package forgetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
)

// NotThere holds what an adapter says of what is not there.
func NotThere(t *testing.T, r forge.Reader) {
	t.Helper()
	nowhere := forge.Repository{Path: "acme/nowhere"}
	for what, ask := range map[string]func() error{
		"changes of no repository": func() error { _, err := r.Changes(t.Context(), nowhere, forge.Span{Branch: "main"}); return err },
		"no change":                func() error { _, err := r.Dossier(t.Context(), forge.Repository{Path: "acme/shop"}, 99); return err },
		"no team":                  func() error { _, err := r.Members(t.Context(), "acme/nobody"); return err },
	} {
		if err := ask(); !errors.Is(err, forge.ErrGone) {
			t.Errorf("%s: %v, want %v", what, err, forge.ErrGone)
		}
	}
}

// members holds that a team is read whole, page by page, and that accounts which may not do anything are
// left out.
func members(t *testing.T, r forge.Reader) {
	t.Helper()
	got, err := r.Members(t.Context(), "acme/platform")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range got {
		ids = append(ids, a.ID)
	}
	if !slices.Equal(ids, []string{"100", "101", "105"}) {
		t.Errorf("members %+v", got)
	}
}

// denied holds that a token which is not good any more is not taken for a change that is gone: what was
// proven on its reviews stays.
func denied(t *testing.T, r forge.Reader) {
	t.Helper()
	_, err := r.Dossier(t.Context(), forge.Repository{Path: "acme/shop"}, 1)
	if !errors.Is(err, forge.ErrDenied) || errors.Is(err, forge.ErrGone) {
		t.Errorf("a dossier: %v, want %v", err, forge.ErrDenied)
	}
	if _, err := r.Changes(t.Context(), forge.Repository{Path: "acme/shop"}, forge.Span{Branch: "main"}); !errors.Is(err, forge.ErrDenied) {
		t.Errorf("changes: %v, want %v", err, forge.ErrDenied)
	}
}
