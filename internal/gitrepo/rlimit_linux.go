package gitrepo

import "golang.org/x/sys/unix"

// confine bounds the private memory of a process that has just started and, where fileBytes is not
// zero, the size of any file that it writes. Its children inherit both; git starts none before it
// has read its configuration, which is long after this call. The time limit and the watch on the
// pack folder hold without it.
func confine(pid int, memory, fileBytes int64) {
	set := func(resource int, n int64) {
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: uint64(n), Max: uint64(n)}, nil)
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_DATA, memory)
	if fileBytes > 0 {
		set(unix.RLIMIT_FSIZE, fileBytes)
	}
}
