package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestF13TwoVersions upgrades and goes back under load.
func TestF13TwoVersions(t *testing.T) {
	c := &crew{}
	l := newServeLabBy(t, c.start)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	c.twoVersions(&traffic{lab: l, commit: first})
	c.recordedVerdicts()
}

// twoVersions runs gates of two versions side by side and in place of each other, under load, while provers of
// both take turns and the kinds go back to those of the earlier one and forth again: each gate believes what
// either prover proved, and what the other gate marked. No version was released yet: the earlier one is the
// commit that hack/previous names, and where the clone's history does not reach back that far it is this tree.
func (c *crew) twoVersions(f *traffic) {
	l := c.lab
	built, err := controlplane.Built(l.t.Context(), "previous")
	if err != nil {
		l.t.Fatal(err)
	}
	now := "../charts/fairway/files/crds"
	earlier, before := "", now
	if built == "" {
		l.t.Log("F13: this clone's history is too short, so both versions are this tree")
	} else {
		earlier, before = filepath.Join(built, "fairway"), filepath.Join(built, "chart/files/crds")
	}
	turns := []struct{ prover, kinds string }{{"", now}, {earlier, now}, {earlier, before}, {"", now}}
	if !thorough() {
		turns = turns[1:3]
	}
	for round, turn := range turns {
		name := fmt.Sprintf("prover-%d", round)
		c.binaries[name] = turn.prover
		version := fmt.Sprintf("13.%d", round)
		web, banner := story.Web(2, "", version), strings.Replace(story.Banner, "winter", version, 1)
		old, delivered := f.commit, story.Banner
		if round > 0 {
			delivered = strings.Replace(story.Banner, "winter", fmt.Sprintf("13.%d", round-1), 1)
		}
		var merge string
		y := f.during(*faultClients, func() {
			c.only(earlier, "")
			c.kinds(turn.kinds)
			for other, p := range maps.Clone(c.provers) {
				if err := p.Stop(); err != nil {
					l.t.Fatal(err)
				}
				delete(c.provers, other)
			}
			c.addProver(name)
			merge = l.land(fmt.Sprintf("Turn %d\n\nTicket: SHOP-13", round), map[string]string{story.WebPath: web, story.BannerPath: banner})
			l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
		})
		f.told(fmt.Sprintf("F13 turn %d, what was proven before", round), y)
		f.spurious(y, 0)
		f.commit, f.proven, f.unproven = merge, web, story.Web(2, story.HostNetwork, version)
		y = f.during(*faultClients, func() {
			c.only(earlier)
			c.allAdmit(merge)
			l.admitted(l.deliver(banner, merge))
			c.only("")
			c.allAdmit(merge)
			l.refused(l.deliver(delivered, old), "going back") // as the gate of the earlier version marked
		})
		f.told(fmt.Sprintf("F13 turn %d, what is proven now", round), y)
		f.spurious(y, 0)
		c.lives()
	}
}

// only replaces all gates by one of each of some versions, which are binaries; empty stands for this tree's.
func (c *crew) only(binaries ...string) {
	l := c.lab
	l.t.Helper()
	before := maps.Clone(c.gates)
	for _, binary := range binaries {
		address := c.freeAddress()
		c.binaries[gateName(address)] = binary
		c.addGateAt(address)
	}
	c.awaitReady(len(before) + len(binaries))
	for address, gate := range before {
		if err := gate.Stop(); err != nil {
			l.t.Fatal(err)
		}
		delete(c.gates, address)
		c.spread()
	}
}

// kinds puts a folder of definitions in force.
func (c *crew) kinds(folder string) {
	l := c.lab
	l.t.Helper()
	for _, object := range manifests(l.t, folder) {
		l.admitted(l.apply("admin", "admin", &object))
	}
}

// allAdmit awaits that every gate has admitted something of a commit.
func (c *crew) allAdmit(commit string) {
	for _, gate := range slices.Sorted(maps.Keys(c.gates)) {
		c.lab.until("gate "+gate+" admits what is proven", func(context.Context) error {
			file, err := os.Open(filepath.Join(c.lab.cluster.Dir, gateName(gate)+".log"))
			if err != nil {
				return err
			}
			defer file.Close()
			lines := bufio.NewScanner(file)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				var line struct{ User, Verdict, Commit string }
				if json.Unmarshal(lines.Bytes(), &line) == nil && line.User == "deployer" && line.Verdict == "Allow" && line.Commit == commit {
					return nil
				}
			}
			return errors.Join(lines.Err(), errors.New("it has not"))
		})
	}
}
