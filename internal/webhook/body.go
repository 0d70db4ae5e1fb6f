package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
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
	part *share
	peer string
	held int64
}

// bodyPools keep buffers of two sizes, so that an ordinary request does not sit in a large one.
type bodyPools struct {
	small, large sync.Pool
}

// get gives an empty body for a declared length; a negative one is unknown.
func (p *bodyPools) get(declared int64) *body {
	pool := &p.small
	if declared < 0 || declared > smallBuffer {
		pool = &p.large
	}
	if got, ok := pool.Get().(*body); ok {
		return got
	}
	return &body{data: make([]byte, 0, freeBytes)}
}

// put gives the budget back and keeps the buffer unless it is large. Nothing may use the body's
// bytes after that.
func (p *bodyPools) put(b *body) {
	b.release()
	b.data = b.data[:0]
	switch c := cap(b.data); {
	case c <= smallBuffer:
		p.small.Put(b)
	case c <= largeBuffer:
		p.large.Put(b)
	}
}

// charge takes room for n bytes of one peer, at most once for a body.
func (b *body) charge(part *share, peer string, n int64) error {
	if !part.take(peer, n) {
		return errShed
	}
	b.part, b.peer, b.held = part, peer, n
	return nil
}

// release gives back what the body holds of the budget.
func (b *body) release() {
	if b.held > 0 {
		b.part.give(b.peer, b.held)
	}
	b.part, b.peer, b.held = nil, "", 0
}

// readBody reads a whole body within the budget. The whole length is charged before more than the
// free bytes are read: charging as bytes arrive would let many large bodies take the budget
// together and none of them finish. Memory is only taken as bytes arrive. When it fails, what was
// read of the head stays readable.
func (s *Server) readBody(b *body, r *http.Request) error {
	limit, declared := s.limits.Body, r.ContentLength
	end := declared
	if declared < 0 {
		end = limit + 1 // one more, to see that it is too many
	}
	if err := b.fill(r.Body, min(end, freeBytes)); err != nil {
		return b.ended(err, declared)
	}
	if declared > limit {
		return errTooLarge
	}
	if end <= freeBytes {
		return nil
	}
	peer, _, _ := net.SplitHostPort(r.RemoteAddr) // without one, all are one peer
	if err := b.charge(s.budget.part(declared), peer, min(end, limit)); err != nil {
		return err
	}
	for target := int64(2 * freeBytes); ; target *= 2 {
		if err := b.fill(r.Body, min(end, target)); err != nil {
			return b.ended(err, declared)
		}
		switch {
		case target < end:
		case declared < 0:
			return errTooLarge
		default:
			return nil
		}
	}
}

// fill reads until the body has n bytes.
func (b *body) fill(r io.Reader, n int64) error {
	if have := int64(cap(b.data)); have < n {
		grown := make([]byte, len(b.data), n)
		copy(grown, b.data)
		b.data = grown
	}
	got, err := io.ReadFull(r, b.data[len(b.data):n])
	b.data = b.data[:len(b.data)+got]
	return err
}

// ended tells the end of a body of unknown length from one that came too early.
func (b *body) ended(err error, declared int64) error {
	switch early := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); {
	case early && declared < 0:
		return nil
	case early:
		return fmt.Errorf("body ends after %d of %d bytes", len(b.data), declared)
	}
	return fmt.Errorf("reading the body: %w", err)
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
	if uid := token.String(); len(uid) <= longestUID {
		return uid
	}
	return ""
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
