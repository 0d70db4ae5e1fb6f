//go:build !linux

package gitrepo

// confine does nothing here: only the time limit and the watch on the pack folder hold.
func confine(pid int, memory, fileBytes int64) {}
