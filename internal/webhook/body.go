package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/semaphore"
)

// errTooLarge says that a body is above the cap.
var errTooLarge = errors.New("body above the cap")

const (
	smallBuffer = 64 << 10 // largest buffer in the pool that most requests draw from
	largeBuffer = 1 << 20  // largest buffer that is kept at all
)

// body is one request body in memory, with what it holds of the byte budget.
type body struct {
	data []byte
	part *semaphore.Weighted
	held int64
}

// bodyPools keep buffers of two sizes, so that an ordinary request does not sit in a large one.
type bodyPools struct {
	small, large sync.Pool
}

// get gives an empty body for a declared length; a negative one is unknown.
func (p *bodyPools) get(declared int64, b *budget) *body {
	pool := &p.small
	if declared < 0 || declared > smallBuffer {
		pool = &p.large
	}
	got, _ := pool.Get().(*body)
	if got == nil {
		got = &body{data: make([]byte, 0, freeBytes)}
	}
	got.part = b.part(declared)
	return got
}

// put gives the budget back and keeps the buffer unless it is large. Nothing may use the body's
// bytes after that.
func (p *bodyPools) put(b *body) {
	if b.held > 0 {
		b.part.Release(b.held)
	}
	b.held, b.part = 0, nil
	b.data = b.data[:0]
	switch c := cap(b.data); {
	case c <= smallBuffer:
		p.small.Put(b)
	case c <= largeBuffer:
		p.large.Put(b)
	}
}

// fill reads a body. The charge grows with the bytes that have arrived, at most to their double: who
// declares much and sends little holds little. When it fails, what was read so far stays readable.
func (b *body) fill(r io.Reader, declared, limit int64) error {
	end := declared
	if end < 0 || end > limit {
		end = limit + 1
	}
	if declared > limit {
		end = freeBytes // the head only, for the uid
	}
	for target := min(end, freeBytes); ; target = min(end, 2*target) {
		if err := b.grow(target); err != nil {
			return err
		}
		n, err := io.ReadFull(r, b.data[len(b.data):target])
		b.data = b.data[:len(b.data)+n]
		switch ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); {
		case ended && declared < 0:
			return nil
		case ended:
			return fmt.Errorf("body ends after %d of %d bytes", len(b.data), declared)
		case err != nil:
			return fmt.Errorf("reading the body: %w", err)
		case int64(len(b.data)) < end:
			continue
		case declared < 0 || declared > limit:
			return errTooLarge
		}
		return nil
	}
}

// grow makes room for n bytes and charges those above the free ones.
func (b *body) grow(n int64) error {
	if more := n - freeBytes - b.held; more > 0 {
		if !b.part.TryAcquire(more) {
			return errShed
		}
		b.held += more
	}
	if have := int64(cap(b.data)); have < n {
		grown := make([]byte, len(b.data), n)
		copy(grown, b.data)
		b.data = grown
	}
	return nil
}

// drainBytes bound how much of a body is read only to be thrown away.
const drainBytes = 256 << 20

// discard reads on to the end of a body, so that the client gets to read the answer: with unread
// bytes the connection would be reset under it, and a fail-open webhook admits what it has no
// answer for (T-05). Time is bounded by the server's read timeout, memory is not used.
func discard(r io.Reader) {
	// Whatever goes wrong here, the answer is the same.
	_, _ = io.Copy(io.Discard, io.LimitReader(r, drainBytes))
}

// headUID finds the request's uid in the beginning of a body that is cut off or broken further on;
// it is empty where there is none. The API server writes the uid first.
func headUID(head []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(slices.Clip(head)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if !enter(d, "request") || !enter(d, "uid") {
		return ""
	}
	token, err := d.ReadToken()
	if err != nil || token.Kind() != '"' {
		return ""
	}
	return token.String()
}

// enter moves a decoder into an object and up to the value of its first member of that name.
func enter(d *jsontext.Decoder, name string) bool {
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return false
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		if token.String() == name {
			return true
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}
