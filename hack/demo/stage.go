package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
)

// stage is what the story needs wherever it plays: the people, the repository and a running fairway.
type stage struct {
	dir    string
	binary string
	shop   *story.Shop
	place  place

	fairway *exec.Cmd
	url     string
	client  *http.Client

	admitted, refused int
}

// place is where requests go: fairway itself, or an API server that asks it.
type place interface {
	// start starts fairway and whatever stands before it.
	start(ctx context.Context, s *stage) error
	write(ctx context.Context, w story.Write) (answer, error)
	remove(ctx context.Context, configMap, user string) (answer, error)
	// open puts a BreakGlass object in force.
	open(ctx context.Context, object []byte) error
	// uid is that of the namespace shop.
	uid(ctx context.Context) (string, error)
	// review looks back at what the emergency left, where the place has a memory.
	review(ctx context.Context) error
	stop() error
}

// answer is what became of a request.
type answer struct {
	allowed bool
	message string // of a refusal
	lane    string // that admitted it; empty where the place cannot tell
}

// newStage builds fairway, makes the world and starts serving it in a place.
func newStage(ctx context.Context, dir string, at place) (*stage, error) {
	binary, err := filepath.Abs(filepath.Join("bin", "demo", "fairway")) // kept: linking is half of what a demo takes
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, binary: binary, place: at}
	s.say("Building fairway …")
	if _, err := s.command(ctx, nil, "go", "build", "-ldflags=-w", "-o", s.binary, "./cmd/fairway"); err != nil {
		return nil, err
	}
	shop, err := story.NewShop(ctx, dir)
	if err != nil {
		return nil, err
	}
	s.shop = shop
	if err := at.start(ctx, s); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *stage) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// command runs a program and returns what it printed; its errors carry what it complained of.
func (s *stage) command(ctx context.Context, in []byte, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if in != nil {
		cmd.Stdin = bytes.NewReader(in)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// serve starts fairway and waits until it is ready. ca is the authority of its certificate.
func (s *stage) serve(ctx context.Context, ca string, args ...string) error {
	s.fairway = exec.CommandContext(ctx, s.binary, append([]string{"serve",
		"--state-dir", filepath.Join(s.dir, "state"), "--interval", "200ms"}, args...)...)
	s.fairway.Cancel = func() error { return s.fairway.Process.Signal(syscall.SIGTERM) }
	log, err := s.fairway.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting fairway: %w", err)
	}
	if err := s.fairway.Start(); err != nil {
		return fmt.Errorf("starting fairway: %w", err)
	}
	if s.url, err = listening(log); err != nil {
		return err
	}
	trusted, err := os.ReadFile(ca) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("reading the authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}}
	return s.await(ctx, "fairway to be ready", func() (bool, error) {
		answer, err := s.get(ctx, "/readyz")
		return answer == http.StatusOK, err
	})
}

// listening reads the address from the first line that fairway prints, and the rest to nowhere.
func listening(log io.Reader) (string, error) {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("fairway did not start: %s %w", strings.TrimSpace(line), err)
		}
		if _, url, ok := strings.Cut(strings.TrimSpace(line), "listening on "); ok {
			go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process
			return url, nil
		}
	}
}

func (s *stage) get(ctx context.Context, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return 0, err
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// stop ends fairway, and then the place.
func (s *stage) stop() error {
	var err error
	if s.fairway != nil && s.fairway.Process != nil {
		if err = s.fairway.Process.Signal(syscall.SIGTERM); err == nil {
			err = s.fairway.Wait()
		}
		if err != nil {
			err = fmt.Errorf("fairway ended badly: %w", err)
		}
	}
	return errors.Join(err, s.place.stop())
}

// await asks until the answer is yes, for as long as a slow machine may need.
func (s *stage) await(ctx context.Context, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := ask()
		if err != nil && ctx.Err() == nil {
			return err
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited a minute in vain for %s", what)
		case <-tick.C:
		}
	}
}

// looks is how many times fairway has looked at repositories, by its own count.
func (s *stage) looks(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "fairway_repository_looks_total "); ok {
			return strconv.Atoi(count)
		}
	}
	return 0, errors.New("fairway does not count its looks")
}
