//go:build !unix

package gitrepo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ownGroup leaves the process as it is: only the process itself ends with its context.
func ownGroup(*exec.Cmd) {}

// lockDir marks a mirror's directory as used, without keeping others out.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the mirror: %w", err)
	}
	return f, nil
}
