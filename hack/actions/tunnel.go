package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

// tunnel joins a client that said CONNECT with an address, until either goes.
func tunnel(w http.ResponseWriter, address string) error {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return fmt.Errorf("%T cannot be taken over", w)
	}
	there, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer there.Close()
	here, buffered, err := hijacker.Hijack()
	if err != nil {
		return err
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { _, err := io.Copy(there, buffered); ended <- err }()
	go func() { _, err := io.Copy(here, there); ended <- err }()
	return <-ended
}
