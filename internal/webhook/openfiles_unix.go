//go:build unix

package webhook

import "syscall"

// openFiles is how many files and connections the process may have open; most where nobody can tell.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
