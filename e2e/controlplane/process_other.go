//go:build unix && !linux

package controlplane

import "syscall"

// ownGroup puts a child into its own process group. Without Linux there is no signal on the parent's
// death: a test binary that is killed leaves its control plane to be ended by hand.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
