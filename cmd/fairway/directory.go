package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// settle is how long a directory must be quiet before it is read again: an editor writes a file in
// several steps.
const settle = 50 * time.Millisecond

// directory is an install without a cluster: kinds in files, proofs and marks in memory.
type directory struct {
	path      string
	namespace string
	system    []string // see store.Settings
	log       logr.Logger
	state     *store.State
	shelf     *store.Shelf
	schemas   *schemas
	glass     *glassBook
}

// newDirectory reads a directory for the first time. One that cannot be read is an error now, and
// only told later: then what was read before stays in force.
func newDirectory(o cli.ServeOptions, log logr.Logger) (*directory, error) {
	d := &directory{
		path: o.Dir, namespace: o.Namespace, system: o.Webhook.System, log: log, state: store.NewState(), schemas: newSchemas(), glass: &glassBook{},
		shelf: &store.Shelf{Index: store.NewIndex(), Marks: store.NewMarks(), Told: told(log)},
	}
	return d, d.load()
}

func (d *directory) load() error {
	kinds, err := store.ReadDir(d.path)
	if err != nil {
		return err
	}
	if err := d.schemas.define(kinds.CRDs); err != nil {
		return err
	}
	settings := store.Settings{Namespace: d.namespace, System: d.system, Schema: d.schemas.digest()}
	for _, b := range kinds.Bindings {
		// A directory has no latch of its own: it is sealed exactly if it holds the cluster binding.
		settings.Sealed = settings.Sealed || b.Namespace == d.namespace && b.Name == "cluster"
	}
	world := store.Compile(kinds, settings, d.state.World())
	_, badKeys := signature.NewKeyring(world.People)
	for _, p := range append(badKeys, world.Problems...) {
		d.log.Info("this is not in force", "problem", p)
	}
	d.breakGlasses(kinds.BreakGlasses, world)
	return nil
}

// breakGlasses puts the world in force with what is granted in it. A break-glass that opens nothing is told of.
func (d *directory) breakGlasses(all []v1alpha1.BreakGlass, world *tier.World) {
	j := d.glass.judge(all, world, time.Now())
	for at, g := range j.open {
		for _, why := range append(g.Refusals, g.Beyond) {
			if why != "" {
				d.log.Info("break-glass opens nothing", "namespace", at[0], "name", at[1], "why", why)
			}
		}
	}
	d.state.Set(world, j.grants, j.stored)
}

// watch reads the directory again when it changes, and tells.
func (d *directory) watch(changed func()) func(context.Context) error {
	return func(ctx context.Context) error {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return fmt.Errorf("watching %q: %w", d.path, err)
		}
		defer func() { _ = watcher.Close() }()
		if err := addAll(watcher, d.path); err != nil {
			return err
		}
		if err := d.load(); err != nil { // what changed before the watch began
			d.log.Error(err, "the directory cannot be read; what was read before stays in force")
		}
		quiet := time.NewTimer(settle)
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case err := <-watcher.Errors:
				d.log.Error(err, "watching the directory")
				quiet.Reset(settle)
			case <-watcher.Events:
				quiet.Reset(settle)
			case <-quiet.C:
				if err := errors.Join(addAll(watcher, d.path), d.load()); err != nil {
					d.log.Error(err, "the directory cannot be read; what was read before stays in force")
					continue
				}
				changed()
			}
		}
	}
}

// addAll watches a directory and those below it; one that is watched already stays so.
func addAll(w *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if err := w.Add(path); err != nil {
			return fmt.Errorf("watching %q: %w", path, err)
		}
		return nil
	})
}

// told logs what a look at a source found that the one before it did not: each look judges the newest
// commit anew, and mostly there is nothing new in that. What it remembers is of mostTold sources at most.
func told(log logr.Logger) func(change.SourceKey, []change.Proof, error) {
	var mu sync.Mutex
	before := map[change.SourceKey][][]any{}
	return func(key change.SourceKey, proofs []change.Proof, problem error) {
		mu.Lock()
		defer mu.Unlock()
		var lines [][]any
		say := func(message string, facts ...any) {
			line := append([]any{message}, facts...)
			lines = append(lines, line)
			if !slices.ContainsFunc(before[key], func(old []any) bool { return slices.Equal(old, line) }) {
				log.Info(message, facts...)
			}
		}
		if problem != nil {
			say("source cannot be proven now", "namespace", key.Namespace, "repository", key.Repository, "problem", problem.Error())
		}
		for _, p := range proofs {
			for _, j := range p.Judgements {
				say("commit judged", "namespace", key.Namespace, "source", p.Source, "commit", p.Commit, "tier", j.Tier,
					"admissible", j.Admissible.String(), "missing", strings.Join(j.Missing, "; "))
			}
		}
		if _, known := before[key]; !known && len(before) >= mostTold {
			clear(before) // most are of sources that are gone
		}
		before[key] = lines
	}
}

// noCluster is a Live that nobody asks anything of: without a cluster no live object can be told.
type noCluster struct{}

// Object could not be told.
func (noCluster) Object(context.Context, change.Kind, string, string) ([]byte, change.Found) {
	return nil, change.CouldNotTell
}

// neverSigned says of every object that it is no signed record: without a cluster nobody writes one.
func neverSigned([]byte) change.Found { return change.Absent }
