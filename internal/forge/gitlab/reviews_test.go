package gitlab

import "testing"

// TestT09RetargetingNotes: all notes by which GitLab tells that a merge request aims elsewhere now, and
// none whose words a person chooses.
func TestT09RetargetingNotes(t *testing.T) {
	for note, want := range map[string]bool{
		"changed target branch from `dev` to `main`":                                                 true,
		"deleted the `dev` branch. This merge request now targets the `main` branch":                 true,
		"changed title from **a** to **changed target branch from**":                                 false,
		"added 1 commit\n\n<ul><li>abc - This merge request now targets the `main` branch</li></ul>": false,
		"approved this merge request":                                                                false,
	} {
		if got := isRetargeting(note); got != want {
			t.Errorf("%q: %t, want %t", note, got, want)
		}
	}
}
