package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// diskIsFull has the prover keep its mirrors on a disk of 1 MiB that is full.
func (c *crew) diskIsFull(f *traffic) {
	c.withoutDisk(f, "F10 the prover's disk is full", "size=1m", "size=64m,rw")
}

// diskIsReadOnly has it keep them on one that nobody can write to.
func (c *crew) diskIsReadOnly(f *traffic) {
	c.withoutDisk(f, "F10 the prover's disk is read only", "ro", "size=64m,rw")
}

// withoutDisk starts a prover on a disk that is of no use: it goes on, nothing new is proven, and what is
// proven is admitted. When the disk is good again, it proves by itself.
func (c *crew) withoutDisk(f *traffic, fault, bad, good string) {
	l := c.lab
	const name = "prover-disk"
	dir := filepath.Join(l.dir, name+".state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	l.mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", dir)
	defer func() {
		if p := c.provers[name]; p != nil && l.t.Failed() { // it holds the disk
			_ = p.Kill()
			delete(c.provers, name)
		}
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			l.t.Errorf("taking the disk away: %v\n%s", err, out)
		}
	}()
	// Whatever room there is is taken.
	if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 1<<20), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.mount("-o", "remount,"+bad, dir)
	for other, p := range maps.Clone(c.provers) {
		if err := p.Stop(); err != nil {
			l.t.Fatal(err)
		}
		delete(c.provers, other)
	}
	web := story.Web(2, "", fmt.Sprintf("10.%d", len(fault)))
	merge := l.land(fault+"\n\nTicket: SHOP-11", map[string]string{story.WebPath: web})
	y := f.during(*faultClients, func() {
		c.addProver(name)
		l.until("the prover says what is wrong", func(context.Context) error {
			log := strings.ToLower(c.provers[name].Log()) // git has words of its own
			if !strings.Contains(log, "no space left") && !strings.Contains(log, "read-only file system") {
				return fmt.Errorf("it says:\n%s", log)
			}
			return nil
		})
		if err := l.deliver(web, merge); err == nil {
			l.t.Error("a commit was admitted that nobody could prove")
		}
	})
	f.told(fault, y)
	f.spurious(y, 0)
	if code, over := c.provers[name].Exited(); over {
		l.t.Errorf("the prover ended with %d", code)
		c.revive()
	}
	l.mount("-o", "remount,"+good, dir)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	if err := c.provers[name].Stop(); err != nil {
		l.t.Fatal(err)
	}
	delete(c.provers, name)
	c.addProver("prover-a")
}

// mount mounts, which needs root.
func (l *serveLab) mount(args ...string) {
	l.t.Helper()
	if out, err := exec.CommandContext(l.t.Context(), "mount", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("mount %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
