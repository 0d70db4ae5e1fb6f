package forge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// courier carries requests to one forge: see Access.Client.
type courier struct {
	base  *url.URL
	token Secret
	inner http.RoundTripper
	now   func() time.Time
	book  *book
	pace  *pace
	count counts
}

// RoundTrip implements http.RoundTripper. The request that it is given stays as it is.
func (c *courier) RoundTrip(given *http.Request) (*http.Response, error) {
	if !isAt(c.base, given.URL) {
		return nil, ErrHost
	}
	if err := c.pace.ask(c.now()); err != nil {
		c.count.limited.Inc()
		return nil, err
	}
	req := given.Clone(given.Context())
	// Whatever credentials a library put in are not ours to send.
	for _, h := range []string{"Authorization", "Private-Token", "Job-Token", "Cookie"} {
		req.Header.Del(h)
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.reveal())
	}
	known, have := c.book.get(req)
	if have {
		req.Header.Set("If-None-Match", known.tag)
	}
	resp, err := c.inner.RoundTrip(req)
	if err != nil {
		c.fail(req)
		return nil, err
	}
	return c.receive(req, resp, known)
}

// fail counts a request that was not answered to its end. A forge that took too long is left alone like
// one that is away; it is not the forge's doing where nobody wants the answer any more.
func (c *courier) fail(req *http.Request) {
	if !errors.Is(req.Context().Err(), context.Canceled) {
		c.pace.stumble(c.now())
	}
	c.count.failed.Inc()
}

// receive reads an answer to its end.
func (c *courier) receive(req *http.Request, resp *http.Response, known page) (*http.Response, error) {
	defer resp.Body.Close()
	now := c.now()
	left := c.pace.hear(resp, now)
	if left >= 0 {
		c.count.left.Set(float64(left))
	}
	if limited := c.pace.refused(resp, now); limited != nil {
		c.count.limited.Inc()
		return nil, limited
	}
	if resp.StatusCode >= http.StatusBadGateway {
		c.pace.stumble(now)
	} else {
		c.pace.walk()
	}
	if resp.StatusCode == http.StatusNotModified && known.tag != "" {
		c.count.unchanged.Inc()
		return known.response(req), nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	if err != nil {
		c.fail(req)
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > mostBytes {
		return nil, fmt.Errorf("answer of more than %d bytes: %w", mostBytes, ErrTooMuch)
	}
	if resp.StatusCode == http.StatusOK {
		if err := vet(body); err != nil {
			c.count.failed.Inc()
			return nil, err
		}
	}
	c.count.fresh.Inc()
	p := page{tag: resp.Header.Get("ETag"), header: resp.Header, body: body, status: resp.StatusCode}
	if p.status == http.StatusOK && p.tag != "" {
		c.book.put(req, p)
	}
	return p.response(req), nil
}

// vet refuses what two readers of JSON could read differently: a name given twice, text that is no
// UTF-8, or anything after the value.
func vet(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if err := d.SkipValue(); err != nil {
		return fmt.Errorf("%w: no JSON, or a name twice", ErrAnswer) // what exactly is the forge's text
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something stands after it", ErrAnswer)
	}
	return nil
}
