package gitrepo

import "sync"

// tips keep the tips of a mirror's branches from one fetch to the next: a mirror's directory is locked,
// so nobody but its fetches moves them. A nil tips keeps nothing.
type tips struct {
	mu      sync.Mutex
	fetches int // begun or ended
	known   map[string]string
}

// of is the tip of a branch, which ask finds out where it is not known.
func (t *tips) of(branch string, ask func() (string, error)) (string, error) {
	if t == nil {
		return ask()
	}
	t.mu.Lock()
	tip, known := t.known[branch]
	asked := t.fetches
	t.mu.Unlock()
	if known {
		return tip, nil
	}
	tip, err := ask()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && asked == t.fetches { // what was read across a fetch may be of before it
		t.known[branch] = tip
	}
	return tip, err
}

// forget is called as a fetch begins and as it ends.
func (t *tips) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetches++
	t.known = map[string]string{}
}
