package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// crowded is what a crowd answers to each line it reads.
type crowded struct {
	Held int   `json:"held"` // connections that are open
	Cut  int64 `json:"cut"`  // that the server ended
}

// crowding is a crowd in a process of its own. It runs at the lowest priority, since slow callers bring processors of
// their own: what the server spends on them counts, and not what they spend.
type crowding struct{ *process }

// startCrowd runs this program again as a crowd of so many before a server.
func startCrowd(n int, server hello) (*crowding, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := begin("nice", "-n", "19", self, "-crowd", strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(p.in).Encode(server); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return &crowding{p}, nil
}

// ask has the crowd tell.
func (c *crowding) ask(told *crowded) error {
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		return fmt.Errorf("asking the crowd: %w", err)
	}
	return c.out.Decode(told)
}

// crowdAsChild is slow on so many connections to the server that the first line of its input names, until its input
// ends, and answers each other line with what has become of them.
func crowdAsChild(n int, in io.Reader, out io.Writer) error {
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	var server hello
	if !lines.Scan() {
		return errors.New("nobody names a server")
	}
	if err := json.Unmarshal(lines.Bytes(), &server); err != nil {
		return fmt.Errorf("reading which server: %w", err)
	}
	roots, err := authorities(server.Cert)
	if err != nil {
		return err
	}
	c := &crowd{address: server.Address, config: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}}
	ctx, end := context.WithCancel(context.Background())
	gone := c.gather(ctx, n)
	defer gone()
	defer end()
	for lines.Scan() {
		if err := answers.Encode(crowded{Held: int(c.held.Load()), Cut: c.cut.Load()}); err != nil {
			return err
		}
	}
	return nil
}

// crowd is a number of slow connections to a server. One that it ends is opened again.
type crowd struct {
	address   string
	config    *tls.Config
	held, cut atomic.Int64
}

// gather opens them, until the context ends; gone waits for their end.
func (c *crowd) gather(ctx context.Context, n int) (gone func()) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := c.linger(ctx, i); err == nil {
					c.cut.Add(1)
					continue
				}
				select {
				case <-ctx.Done():
				case <-time.After(slowAgain):
				}
			}
		})
	}
	return all.Wait
}

// linger opens one connection and is slow on it until the server ends it: a quarter never shakes hands, a
// quarter says nothing after that, and the others send their headers, or a body, byte by byte.
func (c *crowd) linger(ctx context.Context, i int) error {
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%slowPeers))}}
	raw, err := from.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	c.held.Add(1)
	defer c.held.Add(-1)
	conn, text := raw, ""
	if kind := i / slowPeers % 4; kind > 0 {
		secure := tls.Client(raw, c.config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
		switch kind {
		case 2:
			text = "POST /validate?timeout=5s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Slow: and slower\r\n"
		case 3:
			if _, err := io.WriteString(conn, "POST /validate?timeout=5s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n"); err != nil {
				return err
			}
			text = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"`
		}
	}
	ended, end := context.WithCancel(ctx)
	defer end()
	go drip(ended, conn, text)
	_, _ = io.Copy(io.Discard, conn) // until it is ended, in whatever way
	return ctx.Err()
}

// drip writes a text byte by byte.
func drip(ctx context.Context, to io.Writer, text string) {
	pace := time.NewTicker(slowPace)
	defer pace.Stop()
	for i := range text {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		if _, err := io.WriteString(to, text[i:i+1]); err != nil {
			return
		}
	}
}
