package webhook

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestPatience compares with context.WithDeadline, whatever is asked first.
func TestPatience(t *testing.T) {
	type key struct{}
	parent := context.WithValue(context.Background(), key{}, "v")
	for name, tt := range map[string]struct {
		left   time.Duration
		gone   bool
		waits  bool
		ends   bool
		reason error
	}{
		"in time":               {time.Hour, false, false, false, nil},
		"in time, waited for":   {time.Hour, false, true, false, nil},
		"late":                  {-time.Second, false, false, true, context.DeadlineExceeded},
		"late, waited for":      {-time.Second, false, true, true, context.DeadlineExceeded},
		"soon late, waited for": {time.Millisecond, false, true, true, context.DeadlineExceeded},
		"gone":                  {time.Hour, true, false, true, context.Canceled},
		"gone, waited for":      {time.Hour, true, true, true, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(parent)
			defer cancel()
			p := &patience{Context: ctx, deadline: time.Now().Add(tt.left)}
			defer p.release()
			if tt.gone {
				cancel()
			}
			if tt.waits {
				child, stop := context.WithCancel(p)
				defer stop()
				if tt.ends {
					<-child.Done()
					<-p.Done()
				}
			}
			if err := p.Err(); !errors.Is(err, tt.reason) || (err == nil) != (tt.reason == nil) {
				t.Errorf("Err is %v, want %v", err, tt.reason)
			}
			select {
			case <-p.Done():
				if !tt.ends {
					t.Error("ended too early")
				}
			default:
				if tt.ends {
					t.Error("has not ended")
				}
			}
			if d, ok := p.Deadline(); !ok || !d.Equal(p.deadline) || p.Value(key{}) != "v" {
				t.Errorf("deadline %v %v, value %v", d, ok, p.Value(key{}))
			}
		})
	}
}

// TestPatienceEndsWithTheRequest: whoever waits on past the answer is told.
func TestPatienceEndsWithTheRequest(t *testing.T) {
	p := &patience{Context: context.Background(), deadline: time.Now().Add(time.Hour)}
	done := p.Done()
	p.release()
	<-done
	if err := p.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("Err is %v", err)
	}
}
