package controlplane

import "syscall"

// ownGroup puts a child into its own process group, and has the kernel kill it when we die: a test
// binary that panics or is killed leaves nothing behind.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
