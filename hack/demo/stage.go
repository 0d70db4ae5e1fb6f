package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/e2e/story"
)

// stage is where the story plays: the people, the repository, the running webhook and the objects
// that it let through.
type stage struct {
	dir    string
	binary string
	shop   *story.Shop
	server *story.Server

	fairway *exec.Cmd
	url     string
	client  *http.Client

	admitted, refused int
}

// newStage builds fairway, makes the world and starts serving it.
func newStage(ctx context.Context, dir string) (*stage, error) {
	s := &stage{dir: dir, binary: filepath.Join(dir, "fairway"), server: story.NewServer()}
	s.say("Building fairway …")
	if _, err := s.command(ctx, "go", "build", "-o", s.binary, "./cmd/fairway"); err != nil {
		return nil, err
	}
	shop, err := story.NewShop(ctx, dir)
	if err != nil {
		return nil, err
	}
	s.shop = shop
	return s, s.serve(ctx)
}

func (s *stage) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// command runs a program and returns what it printed; its errors carry what it complained of.
func (s *stage) command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// serve starts fairway and waits until it has looked at the repository.
func (s *stage) serve(ctx context.Context) error {
	tlsDir := filepath.Join(s.dir, "tls")
	s.fairway = exec.CommandContext(ctx, s.binary, "serve", "--dir", s.shop.World(""), "--listen", "127.0.0.1:0",
		"--tls-dir", tlsDir, "--self-signed", "--state-dir", filepath.Join(s.dir, "state"), "--interval", "1s")
	s.fairway.Cancel = func() error { return s.fairway.Process.Signal(syscall.SIGTERM) }
	log, err := s.fairway.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting fairway: %w", err)
	}
	if err := s.fairway.Start(); err != nil {
		return fmt.Errorf("starting fairway: %w", err)
	}
	if s.url, err = listening(log); err != nil {
		return errors.Join(err, s.stop())
	}
	ca, err := os.ReadFile(filepath.Join(tlsDir, "ca.crt"))
	if err != nil {
		return fmt.Errorf("reading the authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
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

// stop ends fairway.
func (s *stage) stop() error {
	if s.fairway == nil || s.fairway.Process == nil {
		return nil
	}
	if err := s.fairway.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping fairway: %w", err)
	}
	if err := s.fairway.Wait(); err != nil {
		return fmt.Errorf("fairway ended badly: %w", err)
	}
	return nil
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

// post sends a review as an API server does. While a proof is being made the answer is 429, and the
// client asks again after the time that the answer names.
func (s *stage) post(ctx context.Context, review *admissionv1.AdmissionReview) (*admissionv1.AdmissionResponse, error) {
	body, err := json.Marshal(review)
	if err != nil {
		return nil, fmt.Errorf("encoding the review: %w", err)
	}
	for {
		answer, err := s.postOnce(ctx, body)
		if err != nil {
			return nil, err
		}
		if answer.Allowed || answer.Result == nil || answer.Result.Code != http.StatusTooManyRequests {
			return answer, nil
		}
		wait := time.Second
		if d := answer.Result.Details; d != nil && d.RetryAfterSeconds > 0 {
			wait = time.Duration(d.RetryAfterSeconds) * time.Second
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (s *stage) postOnce(ctx context.Context, body []byte) (*admissionv1.AdmissionResponse, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/validate?timeout=5s", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking fairway: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking fairway: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var out admissionv1.AdmissionReview
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("reading fairway's answer (%s): %w", answer.Status, err)
	}
	if out.Response == nil {
		return nil, errors.New("fairway's answer has no response")
	}
	return out.Response, nil
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
