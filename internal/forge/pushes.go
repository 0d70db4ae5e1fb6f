package forge

import "time"

// Push is one push to a branch, as a forge's own record of pushes tells it.
type Push struct {
	Old, New string // Old is of no meaning where the push made the branch
	Made     bool   // it made the branch
	Forced   bool
	At       time.Time
	By       Account
}

// Chain follows pushes, newest first, from a head back to where the branch was made, and gives the
// heads, oldest first. whole is false where there is a gap: somebody pushed who is not seen, or there
// is more to be read.
func Chain(pushes []Push, head string) (heads []Head, whole bool) {
	want, begun := head, false
	for _, p := range pushes {
		if !begun && p.New != want {
			continue // came after
		}
		begun = true
		if want == "" || p.New != want || p.By.ID == "" {
			break // one that cannot be read follows from nothing
		}
		heads = append([]Head{{Commit: p.New, At: p.At, By: p.By}}, heads...)
		if p.Made {
			return heads, true
		}
		want = p.Old
	}
	return heads, false
}

// Pushers are those who pushed, each once.
func Pushers(pushes []Push) []Account {
	var all []Account
	seen := map[string]bool{}
	for _, p := range pushes {
		if p.By.ID != "" && !seen[p.By.ID] {
			seen[p.By.ID] = true
			all = append(all, p.By)
		}
	}
	return all
}
