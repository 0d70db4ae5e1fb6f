package worker

import (
	"syscall"
	"time"
)

// confine bounds this process for good: its memory, its processor time, and what it can open, which
// is nothing from here on. What is open stays open. Memory is what the process can write to; a bound
// on addresses would not do, since the Go runtime reserves far more of them than it uses. Processor time
// is half of the time there is: what computes on and on ends itself, which the next worker would too,
// rather than be killed, of which nothing could be told.
func confine(memory uint64, limit time.Duration) error {
	seconds := uint64(limit/time.Second)/2 + 1
	for _, l := range []struct {
		resource int
		value    uint64
	}{
		{syscall.RLIMIT_DATA, memory}, {syscall.RLIMIT_CPU, seconds}, {syscall.RLIMIT_CORE, 0}, {syscall.RLIMIT_NOFILE, 0},
	} {
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return err
		}
	}
	return nil
}
