package worker

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// confine bounds this process for good: its memory, its processor time, and what it can open, which
// is nothing from here on. What is open stays open. Memory is what the process can write to; a bound
// on addresses would not do, since the Go runtime reserves far more of them than it uses. At the end of
// its processor time the process is told and ends itself, with the status of one that passes its memory;
// only one that goes on for all that is killed.
func confine(memory uint64, processor time.Duration) error {
	spent := make(chan os.Signal, 1)
	signal.Notify(spent, syscall.SIGXCPU)
	go func() {
		<-spent
		os.Exit(exhausted)
	}()
	seconds := uint64(processor/time.Second) + 1
	for _, l := range []struct {
		resource  int
		soft, max uint64
	}{
		{syscall.RLIMIT_DATA, memory, memory}, {syscall.RLIMIT_CPU, seconds, seconds + 5},
		{syscall.RLIMIT_CORE, 0, 0}, {syscall.RLIMIT_NOFILE, 0, 0},
	} {
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: l.soft, Max: l.max}); err != nil {
			return err
		}
	}
	return nil
}
