package controlplane

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// TestNothingOutlivesUs kills a process that has spawned a child, as a time limit kills a test binary,
// and awaits the end of the child.
func TestNothingOutlivesUs(t *testing.T) {
	if dir := os.Getenv("FAIRWAY_TEST_PARENT"); dir != "" {
		p, err := (&Cluster{Dir: dir}).spawn("/bin/sleep", "600")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("\nchild %d\n", p.pid)
		<-p.done
		t.Fatal("the child ended before its parent")
	}
	parent := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), "FAIRWAY_TEST_PARENT="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	child := 0
	for lines := bufio.NewScanner(out); child == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			if child, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if child == 0 || !lives(child) {
		t.Fatalf("the child %d does not live", child)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("the parent ended by itself")
	}
	gone := func(context.Context) (bool, error) { return !lives(child), nil }
	if err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, gone); err != nil {
		t.Errorf("the child outlives its parent: %v; killing it: %v", err, syscall.Kill(child, syscall.SIGKILL))
	}
}

// lives reports whether a process runs; one that has ended and waits for its new parent does not.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}
