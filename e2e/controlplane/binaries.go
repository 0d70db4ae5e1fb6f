package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the first line of the go.mod that marks the root of this repository.
const module = "module github.com/fairway-dev/fairway"

// Binaries returns the folder of etcd, kube-apiserver, kube-controller-manager and kubectl. What is missing is
// built from source first, which takes some minutes once per version and machine. It must be called from
// within a working copy of the repository.
func Binaries(ctx context.Context) (string, error) { return Built(ctx, "controlplane") }

// Built runs hack/<name>/build.sh, which builds from source what is missing, and returns the folder
// that it prints. It must be called from within a working copy of the repository.
func Built(ctx context.Context, name string) (string, error) {
	root, err := root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "hack", name, "build.sh"))
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, problems.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// root finds the repository's root above the working directory.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if line, _, _ := strings.Cut(string(content), "\n"); err == nil && strings.TrimSpace(line) == module {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("looking for the repository: no go.mod with %q above the working directory", module)
		}
		dir = up
	}
}
