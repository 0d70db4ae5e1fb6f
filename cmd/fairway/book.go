package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/fairway-dev/fairway/internal/attest"
)

// book keeps the statements of a repository as they were first read, one JSON line each, in a file
// that only grows. What was said stays said although a ref is rewound and Fairway restarted: a
// withdrawal cannot be made unsaid by a force-push (ruling 22). Nothing in it is believed for being
// in it; every statement is verified anew at each look.
type book struct {
	file    *os.File
	records map[string][]attest.Record // by ref, in the order of their reading
	last    map[string]string          // the commit of each ref that was read last
	held    map[[32]byte]bool          // digests of the statements that are in it
}

// openBook reads the book at a path, which it makes where needed. A line that a crash cut off is
// passed over, and its statement read again.
func openBook(path string) (*book, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the book of statements: %w", err)
	}
	b := &book{records: map[string][]attest.Record{}, last: map[string]string{}, held: map[[32]byte]bool{}}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, len(raw)+1)
	for lines.Scan() {
		var r attest.Record
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			b.add(r)
		}
	}
	if b.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil { //nolint:gosec // as above
		return nil, fmt.Errorf("opening the book of statements: %w", err)
	}
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		if _, err := b.file.WriteString("\n"); err != nil {
			return nil, errors.Join(fmt.Errorf("mending the book of statements: %w", err), b.file.Close())
		}
	}
	return b, nil
}

func (b *book) add(r attest.Record) {
	r.Sequence = len(b.records[r.Ref])
	b.records[r.Ref] = append(b.records[r.Ref], r)
	b.last[r.Ref] = r.Commit
	b.held[statementID(r)] = true
}

// write puts a statement in, unless it stands there already.
func (b *book) write(r attest.Record) error {
	if b.held[statementID(r)] {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the book of statements: %w", err)
	}
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the book of statements: %w", err)
	}
	b.add(r)
	return nil
}

func statementID(r attest.Record) [32]byte {
	return sha256.Sum256(slices.Concat([]byte(r.Ref+" "+r.Commit+" "), r.Envelope))
}

// Close closes the file.
func (b *book) Close() error { return b.file.Close() }
