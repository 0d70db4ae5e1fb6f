package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"time"

	"github.com/fairway-dev/fairway/internal/render"
)

// Serve is the worker's whole life: one render for the process at the other end of in and out. It
// lowers the limits of this process for good, so a process that calls it must do nothing else.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	conversation := newLink(in, out)
	var t task
	if err := conversation.receive(&t); err != nil {
		return err
	}
	<-time.After(time.Nanosecond) // the runtime opens what timers need with the first of them
	if err := confine(t.Memory, t.Processor); err != nil {
		return fmt.Errorf("confining the worker: %w", err)
	}
	debug.SetMemoryLimit(int64(t.Memory / 2)) // collect garbage long before the hard limit,
	debug.SetGCPercent(400)                   // and seldom until then: a worker lives for one render
	tree := remote{conversation}
	result, refusal, err := render.New(t.Limits, tree).Render(ctx, tree, t.Source)
	done := outcome{Closure: result.Closure, Refusal: refusal}
	if err != nil {
		done.Error = err.Error()
	}
	if done.Objects, err = pack(result.Objects); err != nil {
		return err
	}
	return conversation.send(report{Done: &done})
}

// remote is a tree, and a scope, that the process at the other end answers for. It belongs to one
// render, which asks one thing at a time.
type remote struct{ link }

var errFailed = errors.New("the tree could not be read")

func (r remote) ask(q question) (answer, error) {
	var a answer
	if err := r.send(report{Ask: &q}); err != nil {
		return a, err
	}
	if err := r.receive(&a); err != nil {
		return a, err
	}
	switch {
	case a.Missing:
		return a, fs.ErrNotExist
	case a.Failed:
		return a, errFailed
	}
	return a, nil
}

// Namespaced asks for the scope of a kind; it is unknown where nobody answers.
func (r remote) Namespaced(group, version, kind string) (namespaced, known bool) {
	a, err := r.ask(question{Op: "scope", Group: group, Version: version, Kind: kind})
	return a.Namespaced, a.Known && err == nil
}

// Stat says what is at a path, without following links.
func (r remote) Stat(name string) (fs.FileInfo, error) {
	a, err := r.ask(question{Op: "stat", Name: name})
	return node{name: name, mode: a.Mode}, err
}

// ReadDir lists a directory.
func (r remote) ReadDir(name string) ([]fs.DirEntry, error) {
	a, err := r.ask(question{Op: "list", Name: name})
	entries := make([]fs.DirEntry, len(a.Entries))
	for i, e := range a.Entries {
		entries[i] = fs.FileInfoToDirEntry(node{name: string(e.Name), mode: e.Mode})
	}
	return entries, err
}

// Open reads a file.
func (r remote) Open(name string) (fs.File, error) {
	a, err := r.ask(question{Op: "read", Name: name})
	if err != nil {
		return nil, err
	}
	return file{bytes.NewReader(a.Data), node{name: name}}, nil
}

// node is what is known of a name: its type.
type node struct {
	name string
	mode fs.FileMode
}

// Name is the name that was asked for.
func (n node) Name() string { return n.name }

// Size is not told.
func (n node) Size() int64 { return 0 }

// Mode is the type.
func (n node) Mode() fs.FileMode { return n.mode }

// ModTime is not told.
func (n node) ModTime() time.Time { return time.Time{} }

// IsDir reports whether it is a directory.
func (n node) IsDir() bool { return n.mode.IsDir() }

// Sys is nothing.
func (n node) Sys() any { return nil }

// file is the content of a file.
type file struct {
	*bytes.Reader
	node
}

// Size is that of the node, not of the reader.
func (f file) Size() int64 { return f.node.Size() }

// Stat is the node.
func (f file) Stat() (fs.FileInfo, error) { return f.node, nil }

// Close does nothing.
func (f file) Close() error { return nil }
