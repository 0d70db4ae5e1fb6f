package authority

import (
	"bytes"
	"testing"
	"time"
)

var set = Settings{Host: "fairway.fairway-system.svc", Serving: 30 * 24 * time.Hour, Authority: 365 * 24 * time.Hour, Settle: time.Minute}

// step rotates once and fails the test where it cannot.
func step(t *testing.T, s State, published [][]byte, now time.Time) State {
	t.Helper()
	s, err := Rotate(s, published, now, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestT47NobodyIsRefused walks through five years. Whatever a caller had in its bundle, and whatever a gate
// served, within the last half day: the two accept each other.
func TestT47NobodyIsRefused(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := step(t, State{}, nil, now)
	caller, lateGate := s.Bundle, s.Serving.Certificate
	signers, leaves := map[string]bool{}, map[string]bool{}
	for range 5 * 365 * 2 {
		now = now.Add(12 * time.Hour)
		lateCaller := caller
		caller = s.Bundle // what was stored half a day ago has reached it
		served := s.Serving.Certificate
		s = step(t, s, [][]byte{caller, lateCaller}, now)
		for _, bundle := range [][]byte{caller, lateCaller, s.Bundle} {
			for _, chain := range [][]byte{served, lateGate, s.Serving.Certificate} {
				if err := Verify(chain, bundle, set.Host, now); err != nil {
					t.Fatalf("at %s: %v", now, err)
				}
			}
		}
		lateGate = served
		signers[string(s.Signer.Certificate)], leaves[string(s.Serving.Certificate)] = true, true
	}
	if len(signers) < 7 || len(leaves) < 80 {
		t.Errorf("%d authorities and %d serving certificates in five years", len(signers), len(leaves))
	}
	if n := bytes.Count(s.Bundle, []byte("BEGIN")); n > 3 {
		t.Errorf("%d authorities in the bundle", n)
	}
}

// TestRotateWaitsForCallers: a successor that a caller does not have signs nothing, however long it takes.
func TestRotateWaitsForCallers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := step(t, State{}, nil, now)
	old := s.Bundle
	now = now.Add(set.Authority * 3 / 4)
	s = step(t, s, [][]byte{old}, now)
	if len(s.Next.Certificate) == 0 {
		t.Fatal("no successor was announced")
	}
	signer := s.Signer
	for range 10 {
		now = now.Add(24 * time.Hour)
		s = step(t, s, [][]byte{s.Bundle, old}, now) // one caller of two
		if !bytes.Equal(s.Signer.Certificate, signer.Certificate) {
			t.Fatal("the successor signs, and a caller does not have it")
		}
	}
	s = step(t, s, [][]byte{s.Bundle}, now)
	if !bytes.Equal(s.Signer.Certificate, signer.Certificate) {
		t.Fatal("the successor signs at once")
	}
	s = step(t, s, [][]byte{s.Bundle}, now.Add(set.Settle))
	if bytes.Equal(s.Signer.Certificate, signer.Certificate) {
		t.Error("the successor does not sign")
	}
	if err := Verify(s.Serving.Certificate, old, set.Host, now); err == nil {
		t.Error("the old bundle accepts what the successor signed: the test proves nothing")
	}
}

// TestRotateHeals: what was lost, damaged or is for another host is made anew; what is good stays.
func TestRotateHeals(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := step(t, State{}, nil, now)
	if again := step(t, first, [][]byte{first.Bundle}, now.Add(time.Minute)); !bytes.Equal(again.Serving.Certificate, first.Serving.Certificate) {
		t.Error("a good certificate was made anew")
	}
	for name, broken := range map[string]State{
		"no serving":      {Signer: first.Signer, Bundle: first.Bundle},
		"serving damaged": {Signer: first.Signer, Bundle: first.Bundle, Serving: Pair{Certificate: []byte("x"), Key: []byte("y")}},
		"key of another":  {Signer: first.Signer, Bundle: first.Bundle, Serving: Pair{Certificate: first.Serving.Certificate, Key: first.Signer.Key}},
		"signer lost":     {Bundle: first.Bundle, Serving: first.Serving},
		"signer damaged":  {Signer: Pair{Certificate: []byte("x")}, Bundle: first.Bundle, Serving: first.Serving},
	} {
		s := step(t, broken, [][]byte{first.Bundle}, now.Add(time.Minute))
		if err := Verify(s.Serving.Certificate, s.Bundle, set.Host, now.Add(time.Minute)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := set
	other.Host = "127.0.0.1"
	s, err := Rotate(first, [][]byte{first.Bundle}, now, other)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(s.Serving.Certificate, s.Bundle, "127.0.0.1", now); err != nil {
		t.Errorf("another host: %v", err)
	}
}

func TestVerifySaysWhy(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, other := step(t, State{}, nil, now), step(t, State{}, nil, now)
	for name, c := range map[string]struct {
		chain, bundle []byte
		host          string
		at            time.Time
	}{
		"no bundle":      {s.Serving.Certificate, nil, set.Host, now},
		"no certificate": {nil, s.Bundle, set.Host, now},
		"another's":      {s.Serving.Certificate, other.Bundle, set.Host, now},
		"wrong name":     {s.Serving.Certificate, s.Bundle, "other.svc", now},
		"over":           {s.Serving.Certificate, s.Bundle, set.Host, now.Add(set.Serving + time.Second)},
		"an authority's": {s.Signer.Certificate, s.Bundle, set.Host, now},
	} {
		if Verify(c.chain, c.bundle, c.host, c.at) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzRotate: whatever a Secret holds, a step ends in a state that works, or in an error.
func FuzzRotate(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good, err := Rotate(State{}, nil, now, set)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Signer.Certificate, good.Signer.Key, []byte{}, good.Bundle, good.Serving.Certificate, good.Serving.Key)
	f.Add([]byte("x"), []byte{}, good.Signer.Certificate, []byte("-----BEGIN"), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, signer, signerKey, next, bundle, leaf, leafKey []byte) {
		s, err := Rotate(State{
			Signer: Pair{signer, signerKey}, Next: Pair{Certificate: next}, Bundle: bundle, Serving: Pair{leaf, leafKey},
		}, nil, now, set)
		if err != nil {
			return
		}
		if err := Verify(s.Serving.Certificate, s.Bundle, set.Host, now); err != nil {
			t.Errorf("the new state does not work: %v", err)
		}
	})
}
