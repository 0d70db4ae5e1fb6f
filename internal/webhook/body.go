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
	data   []byte
	head   [1 << 10]byte // where data begins: a caller that is slow with it holds no buffer (T-32)
	buffer *[]byte       // where data goes on
	pool   *sync.Pool    // of buffers
	part   *share
	peer   string
	held   int64
}

// bodyPools keep buffers of two sizes, so that an ordinary request does not sit in a large one.
type bodyPools struct {
	small, large sync.Pool
}

// begin begins an empty body for a declared length; a negative one is unknown.
func (p *bodyPools) begin(b *body, declared int64) {
	b.data, b.pool = b.head[:0], &p.small
	if declared < 0 || declared > smallBuffer {
		b.pool = &p.large
	}
}

// end gives the budget back and keeps the buffer unless it is large. Nothing may use the body's
// bytes after that.
func (p *bodyPools) end(b *body) {
	b.release()
	if b.buffer != nil {
		*b.buffer = b.data[:0]
		switch c := cap(b.data); {
		case c <= smallBuffer:
			p.small.Put(b.buffer)
		case c <= largeBuffer:
			p.large.Put(b.buffer)
		}
	}
	b.data, b.buffer = nil, nil
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
// together and none of them finish. When it fails, what was read of the head stays readable.
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
	if err := b.fill(r.Body, end); err != nil {
		return b.ended(err, declared)
	}
	if declared < 0 {
		return errTooLarge
	}
	return nil
}

// fill reads until the body has n bytes. Memory is only taken as bytes arrive.
func (b *body) fill(r io.Reader, n int64) error {
	for have := len(b.data); int64(have) < n; have = len(b.data) {
		if have == cap(b.data) {
			b.grow(n)
		}
		got, err := io.ReadFull(r, b.data[have:min(n, int64(cap(b.data)))])
		b.data = b.data[:have+got]
		if err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for as much again, as far as n bytes need it.
func (b *body) grow(n int64) {
	if b.buffer == nil {
		if b.buffer, _ = b.pool.Get().(*[]byte); b.buffer == nil {
			b.buffer = new([]byte)
		}
		b.data = append((*b.buffer)[:0], b.data...)
	}
	if have := len(b.data); have == cap(b.data) {
		b.data = slices.Grow(b.data, int(min(n, 2*int64(have)))-have)
	}
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
