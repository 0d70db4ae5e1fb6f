package gitrepo

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// undone says for each piece whether nothing of it is left: whether it is in a run of pieces, none
// of them a proven landing, after which everything in the closure is as it was before. Runs do not
// overlap. Work that was approved is never in a run, so taking it back is not undone but a change.
func (c *coverage) undone(pieces []piece) []change.Found {
	result := make([]change.Found, len(pieces))
	for begin := 0; begin < len(pieces); {
		end := begin
		for end < len(pieces) && c.canBeUndone(pieces[end]) {
			end++
		}
		if end == begin { // a landing, or a step that nothing is known of
			result[begin] = change.Absent
			if !c.diffs[pieces[begin].to].known {
				result[begin] = change.CouldNotTell
			}
			begin++
			continue
		}
		c.undoneIn(pieces[begin:end], result[begin:end])
		begin = end
	}
	return result
}

func (c *coverage) canBeUndone(p piece) bool {
	return (p.landing == nil || p.landing.Proven != change.Present) && c.diffs[p.to].known
}

// undoneIn looks for runs in a stretch without landings: from each state, the last moment at which
// it is back.
func (c *coverage) undoneIn(pieces []piece, result []change.Found) {
	var now overlay
	states := [][sha256.Size]byte{now.digest()}
	last := map[[sha256.Size]byte]int{states[0]: 0}
	for i, p := range pieces {
		result[i] = change.Absent
		now.apply(c.diffs[p.to].shifts)
		states = append(states, now.digest())
		last[states[i+1]] = i + 1
	}
	for i := 0; i < len(pieces); {
		back := last[states[i]]
		for j := i; j < back; j++ {
			result[j] = change.FoundIf(c.diffs[pieces[j].to].touches() == change.Present)
		}
		i = max(back, i+1)
	}
}

// overlay is how the places of a closure differ from what they were at some beginning.
type overlay map[place][2]string // what it was, what it is

func (o *overlay) apply(shifts []shift) {
	if *o == nil {
		*o = overlay{}
	}
	for _, s := range shifts {
		was, ok := (*o)[s.at]
		if !ok {
			was[0] = s.old
		}
		was[1] = s.new
		(*o)[s.at] = was
	}
}

// digest is the same for two overlays of one beginning exactly where all places are the same.
func (o overlay) digest() [sha256.Size]byte {
	var lines []string
	for at, state := range o {
		if state[0] != state[1] {
			lines = append(lines, fmt.Sprintf("%q %t %t %q", at.path, at.dir, at.listed, state[1]))
		}
	}
	slices.Sort(lines)
	return sha256.Sum256(fmt.Appendf(nil, "%q", lines))
}
