package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

var flipTimes = flag.Int("flip-times", 100, "how often TestT49TiersFlip changes a tier")

// oldestTier is how long after the API server confirmed a change of a tier no gate may judge by the one before.
const oldestTier = 5 * time.Second

const (
	turningOpen  = "apiVersion: fairway.dev/v1alpha1\nkind: EnvironmentTier\nmetadata: {name: turning}\nspec: {rank: 10, lane: Open}\n"
	turningGated = `apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: turning}
spec:
  rank: 10
  lane: Gated
  signatures: {require: EveryCommit}
  approvals:
  - {name: owners, minimum: 1, from: Owners, level: Signed}
`
)

// generation is one version of a tier: what it says of what nobody proved, and when the API server had it.
type generation struct {
	open      bool
	confirmed time.Time
}

// tierHistory are the generations of a tier.
type tierHistory map[int64]generation

// decided is what a gate wrote down of one review.
type decided struct {
	Time           time.Time `json:"time"`
	Namespace      string    `json:"namespace"`
	Tier           string    `json:"tier"`
	TierGeneration int64     `json:"tierGeneration"`
	Admitted       bool      `json:"admitted"`
}

// holds says how long after the next one was confirmed a generation still decided, and what is wrong with that.
func (h tierHistory) holds(d decided) (behind time.Duration, err error) {
	g, known := h[d.TierGeneration]
	switch {
	case !known:
		return 0, fmt.Errorf("the tier had no generation %d", d.TierGeneration)
	case g.open != d.Admitted:
		return 0, fmt.Errorf("generation %d admits: %t, the verdict: %t", d.TierGeneration, g.open, d.Admitted)
	}
	if next, changed := h[d.TierGeneration+1]; changed {
		behind = max(0, d.Time.Sub(next.confirmed))
	}
	if behind > oldestTier {
		return behind, fmt.Errorf("generation %d decided %s after the next was there", d.TierGeneration, behind)
	}
	return behind, nil
}

// TestTierHistory holds that the replay of T-49 sees what it is to see.
func TestTierHistory(t *testing.T) {
	start := time.Date(2026, time.November, 27, 8, 0, 0, 0, time.UTC)
	h := tierHistory{1: {true, start}, 2: {false, start.Add(time.Second)}}
	for _, row := range []struct {
		name   string
		of     decided
		behind time.Duration
		wrong  bool
	}{
		{"at once", decided{Time: start, TierGeneration: 1, Admitted: true}, 0, false},
		{"late", decided{Time: start.Add(6 * time.Second), TierGeneration: 1, Admitted: true}, 5 * time.Second, false},
		{"too late", decided{Time: start.Add(7 * time.Second), TierGeneration: 1, Admitted: true}, 6 * time.Second, true},
		{"the newest never is", decided{Time: start.Add(time.Hour), TierGeneration: 2}, 0, false},
		{"not what the tier says", decided{Time: start, TierGeneration: 2, Admitted: true}, 0, true},
		{"by no tier", decided{Time: start, Admitted: true}, 0, true},
	} {
		behind, err := h.holds(row.of)
		if behind != row.behind || (err != nil) != row.wrong {
			t.Errorf("%s: %s, %v", row.name, behind, err)
		}
	}
}

// TestT49TiersFlip changes a tier between open and gated as fast as the API server takes it, while three gates
// behind a balancer judge what nobody proved in its namespace. Afterwards every verdict that they wrote down is
// held against the generation that it names: none says otherwise than its tier, and none was older than 5 s.
func TestT49TiersFlip(t *testing.T) {
	c := &crew{}
	l := newServeLabOn(t, controlplane.Options{}, c.start)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	c.addGate()
	c.awaitReady(3)
	object := c.free("turning")
	history := tierHistory{}
	flip := func(text string) {
		t.Helper()
		next := manifest(t, text)
		now, err := l.on("admin", next).Apply(t.Context(), next.GetName(), next, metav1.ApplyOptions{FieldManager: "admin", Force: true})
		l.admitted(err)
		history[now.GetGeneration()] = generation{open: text == turningOpen, confirmed: time.Now()}
	}
	flip(turningOpen)
	c.binds("turning", "turning")

	took := time.Duration(0)
	f := &traffic{lab: l, commit: first}
	y := f.during(*faultClients, func() {
		end := l.asksOn(*faultClients, object)
		defer end()
		began := time.Now()
		for i := range *flipTimes {
			if i%2 == 0 {
				flip(turningGated)
			} else {
				flip(turningOpen)
			}
		}
		took = time.Since(began)
		flip(turningGated)
		for gate := range c.gates {
			l.until("the last flip is in force", func(ctx context.Context) error { return c.says(ctx, gate, object, false) })
		}
		last := time.Since(history[int64(len(history))].confirmed)
		t.Logf("the last of them was in force in all gates after %s", last.Round(time.Millisecond))
		if last > oldestTier {
			t.Errorf("it took %s, want %s", last, oldestTier)
		}
	})
	f.told("T-49", y)
	f.spurious(y, 0)
	t.Logf("%d generations in %s", len(history), took.Round(time.Millisecond))
	if len(history) < *flipTimes {
		t.Errorf("the tier has %d generations after %d flips", len(history), *flipTimes)
	}
	c.lives()
	for gate := range c.gates {
		c.heldAgainst(gate, history)
	}
}

// asksOn creates one object again and again, as dry runs, until it is ended.
func (l *serveLab) asksOn(clients int, object *unstructured.Unstructured) (end func()) {
	ctx, stop := context.WithCancel(l.t.Context())
	var all sync.WaitGroup
	client := l.as("mallory").Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(object.GetNamespace())
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				// What becomes of it is in the gates' records.
				_, _ = client.Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			}
		})
	}
	return func() { stop(); all.Wait() }
}

// heldAgainst reads what one gate decided in the namespace of the tier that turned.
func (c *crew) heldAgainst(gate string, history tierHistory) {
	t := c.lab.t
	t.Helper()
	file, err := os.Open(filepath.Join(c.lab.cluster.Dir, gateName(gate)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	admitted, refused, wrong, most := 0, 0, 0, time.Duration(0)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), `"admission decided"`) {
			continue
		}
		var d decided
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatalf("gate %s wrote %q: %v", gate, lines.Text(), err)
		}
		if d.Namespace != "turning" || d.Tier != "turning" {
			continue // before it was bound
		}
		behind, err := history.holds(d)
		if most = max(most, behind); err != nil {
			if wrong++; wrong <= 3 {
				t.Errorf("gate %s: %v", gate, err)
			}
		}
		if d.Admitted {
			admitted++
		} else {
			refused++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("gate %s: %d admitted, %d refused, %d wrong; the oldest tier that decided was %s behind", gate, admitted, refused, wrong, most.Round(time.Millisecond))
	if admitted == 0 || refused == 0 {
		t.Errorf("gate %s admitted %d and refused %d: its records hold too little to tell", gate, admitted, refused)
	}
}
