package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/story"
)

// faultConfine adds the faults that need root: a processor's tenth, a full disk, one that is read only.
var faultConfine = flag.Bool("fault-confine", false, "confine processes by control groups and mounts as well, which needs root")

// space is what gates of little memory may have, and littleSpace how they are told: nine tenths of it, as the
// chart does.
const (
	space       = 256 << 20
	littleSpace = "export GOMEMLIMIT=230MiB\n"
)

// littleMemory: beside the load come reviews of 12 MB, several at a time.
func (c *crew) littleMemory(f *traffic) {
	// Each of these characters is six bytes in a review.
	big := []byte(strings.Replace(story.Web(2, "", "1.0"), "image:", "env: [{name: A, value: \""+strings.Repeat("<", 2_000_000)+"\"}]\n        image:", 1))
	lines := littleSpace
	if *faultConfine {
		lines += c.grouped("memory", "memory.max", strconv.Itoa(2*space), "memory.limit_in_bytes", strconv.Itoa(2*space)) // of two gates
	}
	var sent, answered atomic.Int64
	var most uint64
	y := c.confined(f, lines, func(ctx context.Context, _ []string) {
		var all sync.WaitGroup
		for range *faultClients / 2 {
			client := c.lab.as("mallory").Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace("shop")
			all.Go(func() {
				for ctx.Err() == nil {
					_, err := client.Patch(ctx, "web", types.ApplyPatchType, big, metav1.PatchOptions{FieldManager: "deployer", DryRun: []string{metav1.DryRunAll}})
					if ctx.Err() != nil {
						return
					}
					sent.Add(1)
					switch {
					case err == nil:
						c.lab.t.Error("a review of 12 MB was admitted that nobody proved")
					case strings.Contains(err.Error(), "[FW"):
						answered.Add(1)
					}
				}
			})
		}
		all.Wait()
	}, func() bool {
		most = max(most, c.memory())
		return sent.Load() >= int64(4**faultClients)
	})
	f.told("F10 256 MiB", y)
	f.spurious(y, 0)
	c.lab.t.Logf("F10 256 MiB: beside it %d reviews of 12 MB, of which %d got a verdict; no gate was seen with more than %d MiB", sent.Load(), answered.Load(), most>>20)
	if most > space {
		c.lab.t.Error("that is more than they may have")
	}
	if answered.Load() == 0 {
		c.lab.t.Error("no large review was answered with a verdict")
	}
}

// memory is the most that any gate has now, in bytes.
func (c *crew) memory() uint64 {
	var most uint64
	for _, gate := range c.gates {
		most = max(most, gate.Memory())
	}
	return most
}

// grouped are the lines by which a process puts itself into a control group of its own, with one value
// set: the file and value of version 2, and those of version 1.
func (c *crew) grouped(controller, file2, value2, file1, value1 string) string {
	l := c.lab
	l.t.Helper()
	root, file, value := "/sys/fs/cgroup", file2, value2
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
		root, file, value = filepath.Join(root, controller), file1, value1
	}
	dir := filepath.Join(root, fmt.Sprintf("fairway-%s-%d", controller, os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		l.t.Fatalf("making a control group: %v", err)
	}
	l.t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			l.t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return "echo $$ >" + filepath.Join(dir, "cgroup.procs") + "\n"
}

// tenthOfAProcessor is what two gates share.
func (c *crew) tenthOfAProcessor(f *traffic) {
	lines := c.grouped("cpu", "cpu.max", "10000 100000", "cpu.cfs_quota_us", "10000")
	y := c.confined(f, lines, func(context.Context, []string) {}, func() bool { return true })
	f.told("F10 a tenth of a processor", y)
}
