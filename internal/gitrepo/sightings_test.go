package gitrepo

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSightingsOutliveARestartAndAHalfWrittenLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sightings")
	first := time.Unix(1_700_000_000, 0).UTC()
	look := func(id string, now time.Time) time.Time {
		t.Helper()
		s, err := OpenSightings(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		at, err := s.First(id, now)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if got := look("aa", first); !got.Equal(first) {
		t.Errorf("first sighting is %v, want %v", got, first)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("bb 17"); err != nil { // a crash in the middle of a number
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := look("aa", first.Add(time.Hour)); !got.Equal(first) {
		t.Errorf("a later look says %v, want the first one, %v", got, first)
	}
	if got, want := look("bb", first.Add(time.Hour)), first.Add(time.Hour); !got.Equal(want) {
		t.Errorf("a commit whose line was cut was seen %v, want %v", got, want)
	}
	if got, want := look("cc", first.Add(time.Hour)), first.Add(time.Hour); !got.Equal(want) {
		t.Errorf("a new commit after a half line was seen %v, want %v", got, want)
	}
}
