package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// The load of the fault tests. `make faults` makes it long; by default each fault is only shown.
var (
	faultTime    = flag.Duration("fault-time", 2*time.Second, "how long the load goes on beside each fault")
	faultRounds  = flag.Int("fault-rounds", 2, "how often each fault is repeated")
	faultClients = flag.Int("fault-clients", 8, "clients of the load; half of them try what nobody proved")
)

// TestFaults breaks what can be broken on one machine, under load through a real API server, with gates
// behind a balancer. Whatever breaks, nothing is admitted that nobody proved: the answers say so, and so
// do the verdicts that the gates recorded (invariant I1).
func TestFaults(t *testing.T) {
	c := &crew{}
	l := newServeLabBy(t, c.start)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	type fault struct {
		name string
		make func(*traffic)
	}
	faults := []fault{
		{"F1 rolling replacement", c.rolls},
		{"F2 a gate is killed", c.isKilled},
		{"F3 all gates are killed", c.allAreKilled},
		{"F6 the API server restarts", c.apiServerGoes},
		{"F6 a watch stalls", c.watchStalls},
	}
	if *faultConfine {
		faults = append(faults, fault{"F10 a tenth of a processor", c.tenthOfAProcessor},
			fault{"F10 the disk is full", c.diskIsFull}, fault{"F10 the disk is read only", c.diskIsReadOnly})
	}
	for _, fault := range append(faults, []fault{
		{"F7 the git server is gone", c.gitIsGone},
		{"F9 the serving certificate rotates", c.rotates},
		{"F10 few file descriptors", c.fewDescriptors},
		{"F10 little memory", c.littleMemory},
		{"F11 four times the load", c.overload},
	}...) {
		t.Run(fault.name, func(t *testing.T) {
			here := *l
			here.t = t
			c.lab = &here
			fault.make(&traffic{lab: &here, commit: first})
		})
	}
	c.lab = l
	c.recordedVerdicts()
}

// tally is what became of requests.
type tally struct {
	good, bad  int     // answered as they should be
	wrong      []error // admitted though nobody proved it; the error is empty
	spurious   []error // not admitted though it was proven
	unanswered int     // bad ones that failed otherwise than by a verdict
	unreached  int     // those that found no API server
	longest    time.Duration
}

// traffic is a load of server-side applies, as dry runs: what is proven, by deployer, and what is not, by
// mallory, who marks it as the same commit. It is of an object that is not as it is in the cluster: what stays
// as it is needs no proof.
type traffic struct {
	lab              *serveLab
	commit           string
	proven, unproven string // manifests; empty: of web, which nobody delivered

	mu    sync.Mutex
	tally tally
}

// during keeps the load up while something happens, and a while after it.
func (f *traffic) during(clients int, what func()) tally {
	f.lab.t.Helper()
	ctx, stop := context.WithCancel(f.lab.t.Context())
	f.tally = tally{}
	if f.proven == "" {
		f.proven, f.unproven = story.Web(2, "", "1.0"), story.Web(2, story.HostNetwork, "1.0")
	}
	var all sync.WaitGroup
	for i := range clients {
		user, text := "deployer", f.proven
		if i%2 == 1 {
			user, text = "mallory", f.unproven
		}
		client := f.lab.as(user)
		object := f.lab.stamped(text, f.commit, "shop")
		all.Go(func() {
			for ctx.Err() == nil {
				f.send(ctx, client, object, user == "deployer")
			}
		})
	}
	what()
	timer := time.NewTimer(*faultTime)
	<-timer.C
	stop()
	all.Wait()
	return f.tally
}

func (f *traffic) send(ctx context.Context, client dynamic.Interface, object *unstructured.Unstructured, proven bool) {
	began := time.Now()
	resource := corev1.SchemeGroupVersion.WithResource("configmaps")
	if object.GetKind() == "Deployment" {
		resource = appsv1.SchemeGroupVersion.WithResource("deployments")
	}
	_, err := client.Resource(resource).Namespace("shop").Apply(ctx, object.GetName(), object,
		metav1.ApplyOptions{FieldManager: "deployer", Force: true, DryRun: []string{metav1.DryRunAll}})
	if ctx.Err() != nil {
		return // cut off by the end of the load
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if utilnet.IsConnectionRefused(err) {
		f.tally.unreached++
		return
	}
	f.tally.longest = max(f.tally.longest, time.Since(began))
	switch {
	case proven && err == nil:
		f.tally.good++
	case proven:
		f.tally.spurious = append(f.tally.spurious, err)
	case err == nil:
		f.tally.wrong = append(f.tally.wrong, errors.New("admitted"))
	case apierrors.IsForbidden(err):
		f.tally.bad++
	default:
		f.tally.unanswered++
	}
}

// told logs a tally and holds what must hold whatever happens.
func (f *traffic) told(fault string, y tally) {
	f.lab.t.Helper()
	f.lab.t.Logf("%s: %d proven admitted, %d proven not admitted, %d unproven refused, %d unproven unanswered, %d wrongly admitted, longest %s",
		fault, y.good, len(y.spurious), y.bad, y.unanswered, len(y.wrong), y.longest.Round(time.Millisecond))
	if len(y.spurious) > 0 {
		f.lab.t.Logf("%s: the first that was not admitted: %v", fault, y.spurious[0])
	}
	if len(y.wrong) > 0 {
		f.lab.t.Errorf("%s: %d were admitted that nobody proved", fault, len(y.wrong))
	}
	if y.good == 0 || y.bad+y.unanswered == 0 {
		f.lab.t.Errorf("%s: the load came to nothing", fault)
	}
}

// spurious holds how many proven requests may have failed.
func (f *traffic) spurious(y tally, most int) {
	f.lab.t.Helper()
	if n := len(y.spurious); n > most {
		f.lab.t.Errorf("%d proven requests were not admitted, at most %d may; the first: %v", n, most, y.spurious[0])
	}
}

// oldest is one of the gates that run.
func (c *crew) oldest() string {
	var all []string
	for address := range c.gates {
		all = append(all, address)
	}
	slices.Sort(all)
	return all[0]
}

// awaitReady awaits that as many gates are ready.
func (c *crew) awaitReady(n int) {
	l := c.lab
	l.t.Helper()
	l.until(fmt.Sprintf("%d gates are ready", n), func(context.Context) error {
		if have := c.balancer.Ready(); have != n {
			return fmt.Errorf("%d are", have)
		}
		return nil
	})
}

// rolls replaces every gate, one after the other: one more comes, and one goes when it is ready.
func (c *crew) rolls(f *traffic) {
	y := f.during(*faultClients, func() {
		for range *faultRounds {
			going := c.oldest()
			c.addGate()
			c.awaitReady(3)
			if err := c.gates[going].Stop(); err != nil {
				c.lab.t.Fatal(err)
			}
			delete(c.gates, going)
			c.spread()
		}
	})
	f.told("F1", y)
	f.spurious(y, 0)
}

// isKilled crashes a gate: what it held at that moment is lost, and answered at the next try.
func (c *crew) isKilled(f *traffic) {
	for range *faultRounds {
		y := f.during(*faultClients, func() {
			going := c.oldest()
			if err := c.gates[going].Kill(); err != nil {
				c.lab.t.Fatal(err)
			}
			killed := time.Now()
			delete(c.gates, going)
			c.spread()
			c.lab.until("what is proven is admitted", func(context.Context) error { return c.lab.deliver(story.Banner, f.commit) })
			if took := time.Since(killed); took > 2*time.Second {
				c.lab.t.Errorf("it took %s to recover, want 2 s", took)
			}
			c.addGate()
			c.awaitReady(2)
		})
		f.told("F2", y)
		f.spurious(y, 50)
	}
}

// allAreKilled: production is closed, a sandbox is not, and all is as before when a gate is back.
func (c *crew) allAreKilled(f *traffic) {
	y := f.during(*faultClients, func() {
		for address, gate := range c.gates {
			if err := gate.Kill(); err != nil {
				c.lab.t.Fatal(err)
			}
			delete(c.gates, address)
		}
		c.spread()
		c.awaitReady(0)
		if err := c.lab.deliver(story.Banner, f.commit); err == nil {
			c.lab.t.Error("production is open while nobody judges")
		}
		sandboxIsFree(c.lab)
		began := time.Now()
		c.addGate()
		c.addGate()
		c.awaitReady(2)
		took := time.Since(began)
		c.lab.t.Logf("F3: two gates were ready %s after they were started", took.Round(time.Millisecond))
		if took > 30*time.Second {
			c.lab.t.Errorf("the gates took %s, want 30 s", took)
		}
	})
	f.told("F3", y)
}

// gitIsGone: what is proven is admitted without git, and nothing new is.
func (c *crew) gitIsGone(f *traffic) {
	merge, head, err := c.lab.shop.Land(c.lab.t.Context(), "sara", "Never seen\n\nTicket: SHOP-9", map[string]string{story.WebPath: story.Web(2, "", "9.9")})
	if err != nil {
		c.lab.t.Fatal(err)
	}
	_ = head // nobody approves it
	away := c.lab.shop.Repo.Dir + ".away"
	y := f.during(*faultClients, func() {
		if err := os.Rename(c.lab.shop.Repo.Dir, away); err != nil {
			c.lab.t.Fatal(err)
		}
		if err := c.lab.deliver(story.Web(2, "", "9.9"), merge); err == nil {
			c.lab.t.Error("a commit was admitted that nobody could prove")
		}
	})
	if err := os.Rename(away, c.lab.shop.Repo.Dir); err != nil {
		c.lab.t.Fatal(err)
	}
	f.told("F7", y)
	f.spurious(y, 0)
}

// rotates puts new certificates of the same authority in place, each written as a kubelet writes a
// Secret.
func (c *crew) rotates(f *traffic) {
	y := f.during(*faultClients, func() {
		for range 5 * *faultRounds {
			pair, err := c.lab.cluster.ServingPair()
			if err != nil {
				c.lab.t.Fatal(err)
			}
			for name, content := range map[string][]byte{"tls.crt": pair.Certificate, "tls.key": pair.Key} {
				next := filepath.Join(c.lab.dir, name+".next")
				if err := os.WriteFile(next, content, 0o600); err != nil {
					c.lab.t.Fatal(err)
				}
				if err := os.Rename(next, filepath.Join(c.lab.dir, name)); err != nil {
					c.lab.t.Fatal(err)
				}
			}
			c.lab.admitted(c.lab.deliver(story.Banner, f.commit))
		}
	})
	f.told("F9", y)
	f.spurious(y, 0)
}

// overload: what cannot be judged at once is put off, and judged in time.
func (c *crew) overload(f *traffic) {
	y := f.during(4**faultClients, func() {})
	f.told("F11", y)
	if n := len(y.spurious); n*1000 > y.good+n {
		c.lab.t.Errorf("%d of %d proven requests were not admitted, at most 0.1 %% may; the first: %v", n, y.good+n, y.spurious[0])
	}
}

// recordedVerdicts reads what the gates wrote down: nothing of mallory's was admitted.
func (c *crew) recordedVerdicts() {
	t := c.lab.t
	logs, err := filepath.Glob(filepath.Join(c.lab.cluster.Dir, "gate-*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no records (%v)", err)
	}
	verdicts := map[string]int{}
	for _, path := range logs {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct{ User, Verdict, Lane string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Verdict != "" {
				verdicts[line.User+" "+line.Verdict]++
				verdicts[line.User+" by "+line.Lane]++
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d gates recorded %v", len(logs), verdicts)
	if verdicts["mallory Allow"] > 0 {
		t.Errorf("%d verdicts admitted what nobody proved", verdicts["mallory Allow"])
	}
	if verdicts["mallory Deny"] == 0 || verdicts["deployer by proven"] == 0 {
		t.Errorf("the records hold too little to tell: %v", verdicts)
	}
}
