package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// authorities are the certificates that callers must have been signed by, read again when their file
// changes: an authority is replaced without a restart.
type authorities struct {
	path string
	log  logr.Logger

	mu     sync.Mutex
	pool   *x509.CertPool
	state  os.FileInfo
	looked time.Time
}

// authoritiesGap is the shortest time between two looks at the file.
const authoritiesGap = time.Second

// newAuthorities reads the file a first time.
func newAuthorities(path string, log logr.Logger) (*authorities, error) {
	a := &authorities{path: path, log: log}
	if err := a.read(); err != nil {
		return nil, err
	}
	return a, nil
}

// current are the authorities now. A file that cannot be read leaves those before in force.
func (a *authorities) current() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) < authoritiesGap {
		return a.pool
	}
	a.looked = time.Now()
	if now, err := os.Stat(a.path); err == nil && a.state != nil && now.ModTime().Equal(a.state.ModTime()) && now.Size() == a.state.Size() && os.SameFile(now, a.state) {
		return a.pool
	}
	if err := a.read(); err != nil {
		a.log.Error(err, "the authorities of callers cannot be read; those before stay in force")
	}
	return a.pool
}

func (a *authorities) read() error {
	state, err := os.Stat(a.path)
	if err != nil {
		return fmt.Errorf("reading the authorities of callers: %w", err)
	}
	content, err := os.ReadFile(a.path)
	if err != nil {
		return fmt.Errorf("reading the authorities of callers: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return fmt.Errorf("reading the authorities of callers: no certificate in %s", a.path)
	}
	a.pool, a.state = pool, state
	return nil
}
