package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/fairway-dev/fairway/internal/attest"
)

// Whoever may push to the refs of approvals may push anything, as much of it as they like. So a book
// has bounds: what nobody believes may only fill so much, and the oldest of it goes first. What was
// believed once is never dropped for it; a person whose own statements pass the bound is told so, and
// counts for nothing until somebody looks. A statement has some two thousand bytes.
const (
	mostBelieved   = 32 << 20 // bytes of one ref's statements that were believed once
	mostDoubted    = 2 << 20  // bytes of one ref's others
	mostDoubtedAll = 64 << 20 // bytes of the others of all refs
	mostWaste      = 4 << 20  // bytes of a file that hold nothing any more, beside as many as are kept
)

// errBookFull means that a ref's believed statements have reached the bound.
var errBookFull = errors.New("no more statements of it are read")

// book keeps the statements of a repository as they were first read, one JSON line each. What was
// said stays said although a ref is rewound and Fairway restarted: a withdrawal cannot be made unsaid
// by a force-push (ruling 22). Nothing in it is believed for being in it; every statement is verified
// anew at each look.
type book struct {
	path    string
	file    *os.File
	size    int64 // of the file
	live    int64 // of the lines that are kept
	doubted int64 // of the lines of all refs that nobody believed
	torn    bool  // the file may end within a line
	pages   map[string]*page
}

// page is what stands on one ref, in the order of its reading.
type page struct {
	entries           []*entry
	last              string // the commit that was read last
	next              int    // sequence of the next statement
	believed, doubted int64  // bytes of lines
	held              map[[32]byte]bool
	digests           map[string]bool // of the believed ones: the same in another wrapping is not kept again
	full              bool            // a statement was not read: the bound is reached
	forgot            bool            // something nobody believed was dropped
}

// entry is one line.
type entry struct {
	attest.Record
	Believed string `json:",omitempty"` // digest of what was signed; empty: nobody believed it yet
}

// size is about how long its line is.
func (e *entry) size() int64 { return int64(base64.StdEncoding.EncodedLen(len(e.Envelope))) + 512 }

// openBook reads the book at a path, which it makes where needed. A line that a crash cut off is
// passed over, and its statement read again.
func openBook(path string) (*book, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the book of statements: %w", err)
	}
	b := &book{path: path, pages: map[string]*page{}, size: int64(len(raw)), torn: len(raw) > 0 && raw[len(raw)-1] != '\n'}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, len(raw)+1)
	for lines.Scan() {
		e := &entry{}
		if json.Unmarshal(lines.Bytes(), e) == nil {
			b.add(e)
		}
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	for _, p := range b.pages {
		if err := b.trim(p); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

func (b *book) open() (err error) {
	if b.file, err = os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("opening the book of statements: %w", err)
	}
	return nil
}

// of is the page of a ref.
func (b *book) of(ref string) *page {
	p, ok := b.pages[ref]
	if !ok {
		p = &page{held: map[[32]byte]bool{}, digests: map[string]bool{}}
		b.pages[ref] = p
	}
	return p
}

// add takes a line in. The line of a statement that came to be believed follows its first one.
func (b *book) add(e *entry) {
	p, id := b.of(e.Ref), statementID(e.Record)
	if p.held[id] {
		i := slices.IndexFunc(p.entries, func(have *entry) bool { return statementID(have.Record) == id })
		if i >= 0 && e.Believed != "" && p.entries[i].Believed == "" {
			b.move(p, p.entries[i], e.Believed)
		}
		return
	}
	e.Sequence = p.next
	p.next++
	p.entries = append(p.entries, e)
	p.last, p.held[id] = e.Commit, true
	b.live += e.size()
	if e.Believed != "" {
		p.believed += e.size()
		p.digests[e.Believed] = true
		return
	}
	p.doubted += e.size()
	b.doubted += e.size()
}

// move notes that a statement is believed.
func (b *book) move(p *page, e *entry, digest string) {
	e.Believed = digest
	p.digests[digest] = true
	p.doubted -= e.size()
	b.doubted -= e.size()
	p.believed += e.size()
}

// write puts a statement in, unless it stands there already. The digest is that of a believed one, or
// empty.
func (b *book) write(r attest.Record, digest string) error {
	p := b.of(r.Ref)
	if p.held[statementID(r)] || digest != "" && p.digests[digest] {
		return nil
	}
	e := &entry{Record: r, Believed: digest}
	line, err := e.line()
	if err != nil {
		return err
	}
	if digest != "" && p.believed+e.size() > mostBelieved {
		p.full = true
		return errBookFull
	}
	if err := b.append(line); err != nil {
		return err
	}
	b.add(e)
	return b.trim(p)
}

// believe notes for good that a statement was believed, as it is once its signer is known.
func (b *book) believe(e *entry, digest string) error {
	p := b.of(e.Ref)
	if p.believed+e.size() > mostBelieved {
		p.full = true
		return errBookFull
	}
	noted := entry{Record: e.Record, Believed: digest}
	line, err := noted.line()
	if err == nil {
		err = b.append(line)
	}
	if err == nil {
		b.move(p, e, digest)
	}
	return err
}

func (e *entry) line() ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing the book of statements: %w", err)
	}
	return append(line, '\n'), nil
}

func (b *book) append(line []byte) error {
	if b.torn {
		line = slices.Concat([]byte("\n"), line)
	}
	n, err := b.file.Write(line)
	b.size += int64(n)
	b.torn = err != nil
	if err != nil {
		return fmt.Errorf("writing the book of statements: %w", err)
	}
	return nil
}

// trim drops the oldest of what nobody believed where it passes a bound, and writes the file anew
// where most of it holds nothing any more.
func (b *book) trim(p *page) error {
	for p.doubted > mostDoubted {
		b.drop(p)
	}
	for b.doubted > mostDoubtedAll {
		fullest := slices.MaxFunc(slices.Collect(maps.Values(b.pages)), func(a, b *page) int { return cmp.Compare(a.doubted, b.doubted) })
		for half := fullest.doubted / 2; fullest.doubted > half; { // not one by one: to look for it takes a while
			b.drop(fullest)
		}
	}
	if b.size <= 2*b.live+mostWaste {
		return nil
	}
	return b.rewrite()
}

// drop forgets the oldest statement of a ref that nobody believed.
func (b *book) drop(p *page) {
	i := slices.IndexFunc(p.entries, func(e *entry) bool { return e.Believed == "" })
	e := p.entries[i]
	p.entries = slices.Delete(p.entries, i, i+1)
	delete(p.held, statementID(e.Record))
	p.forgot = true
	p.doubted -= e.size()
	b.doubted -= e.size()
	b.live -= e.size()
}

// rewrite writes the file anew, whole or not at all.
func (b *book) rewrite() error {
	var all bytes.Buffer
	for _, ref := range slices.Sorted(maps.Keys(b.pages)) {
		for _, e := range b.pages[ref].entries {
			line, err := e.line()
			if err != nil {
				return err
			}
			all.Write(line)
		}
	}
	fresh := b.path + ".new"
	if err := writeSynced(fresh, all.Bytes()); err != nil {
		return fmt.Errorf("writing the book of statements anew: %w", err)
	}
	if err := errors.Join(os.Rename(fresh, b.path), b.file.Close()); err != nil {
		return fmt.Errorf("writing the book of statements anew: %w", err)
	}
	b.size, b.torn = int64(all.Len()), false
	return b.open()
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func statementID(r attest.Record) [32]byte {
	return sha256.Sum256(slices.Concat([]byte(r.Ref+" "+r.Commit+" "), r.Envelope))
}

// Close closes the file.
func (b *book) Close() error { return b.file.Close() }
