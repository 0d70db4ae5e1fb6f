package gitrepo

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sightings remember when Fairway first saw a commit. The dates in a commit are its maker's; this
// one is ours, and the validity of a key is judged against both. They are kept in a file that only
// grows, one "id unix-seconds." a line, so that a restart does not make old commits look new.
type Sightings struct {
	mu   sync.Mutex
	file *os.File
	seen map[string]time.Time
}

// OpenSightings reads the sightings of a file, which it makes where needed. A line that cannot be
// read, such as one that a crash cut off, is passed over: its commit is seen anew.
func OpenSightings(path string) (*Sightings, error) {
	s := &Sightings{seen: map[string]time.Time{}}
	raw, err := os.ReadFile(path) //nolint:gosec // the caller's own folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading sightings: %w", err)
	}
	for lines := bufio.NewScanner(strings.NewReader(string(raw))); lines.Scan(); {
		// The full stop tells a whole line from one that was cut in the middle of its number.
		line, whole := strings.CutSuffix(lines.Text(), ".")
		id, at, ok := strings.Cut(line, " ")
		seconds, err := strconv.ParseInt(at, 10, 64)
		if _, have := s.seen[id]; !whole || !ok || err != nil || have {
			continue
		}
		s.seen[id] = time.Unix(seconds, 0).UTC()
	}
	if s.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil { //nolint:gosec // as above
		return nil, fmt.Errorf("opening sightings: %w", err)
	}
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		if _, err := s.file.WriteString("\n"); err != nil {
			return nil, fmt.Errorf("mending sightings: %w", err)
		}
	}
	return s, nil
}

// First is when a commit was first seen: now, if this is the first time. The error says that the
// sighting could not be kept.
func (s *Sightings) First(id string, now time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.seen[id]; ok {
		return at, nil
	}
	now = now.UTC().Truncate(time.Second)
	if _, err := fmt.Fprintf(s.file, "%s %d.\n", id, now.Unix()); err != nil {
		return time.Time{}, fmt.Errorf("keeping a sighting: %w", err)
	}
	s.seen[id] = now
	return now, nil
}

// Close closes the file.
func (s *Sightings) Close() error { return s.file.Close() }
