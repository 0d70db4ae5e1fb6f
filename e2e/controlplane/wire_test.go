package controlplane

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestWire: what is sent while a wire stalls arrives when it passes bytes again, and not before; closing it
// ends what goes by it.
func TestWire(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }() // it says what it hears
		}
	}()
	wire, err := NewWire(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", wire.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hear := func(within time.Duration) error {
		if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadFull(c, make([]byte, 4))
		return err
	}
	say := func() {
		if _, err := io.WriteString(c, "ping"); err != nil {
			t.Fatal(err)
		}
	}
	say()
	if err := hear(10 * time.Second); err != nil {
		t.Errorf("while bytes pass: %v", err)
	}
	wire.Stall()
	say()
	if err := hear(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while it stalls: %v, want nothing", err)
	}
	wire.Resume()
	if err := hear(10 * time.Second); err != nil {
		t.Errorf("after it passes bytes again: %v", err)
	}
	if err := wire.Close(); err != nil {
		t.Fatal(err)
	}
	if err := hear(10 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after it was cut: %v", err)
	}
}
