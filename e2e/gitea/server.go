// Package gitea starts a real forge on this machine and lets people work with it: they push over SSH
// with keys of their own, open changes, review and merge them. It listens on 127.0.0.1 alone and ends
// with the test binary.
package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// Admin is the name of the account that may do everything, and Reader of the one that Fairway reads as.
const (
	Admin  = "keeper"
	Reader = "fairway"
)

// Server is a running Gitea.
type Server struct {
	URL string
	Dir string // holds its log, repositories and the people's keys

	binary  string
	ssh     string // port
	program *controlplane.Program
	making  sync.Mutex // held while people are made
	mu      sync.Mutex
	tokens  map[string]string // by account
	ids     map[string]int64

	door   *http.Server
	synced map[string]bool // heads that the forge has done with
}

// Start starts a Gitea with an administrator and a reader.
func Start(ctx context.Context) (*Server, error) {
	built, err := controlplane.Built(ctx, "gitea")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fairway-gitea-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, binary: filepath.Join(built, "gitea"), tokens: map[string]string{}, ids: map[string]int64{}, synced: map[string]bool{}}
	return s, s.start(ctx, filepath.Join(built, "src"))
}

func (s *Server) start(ctx context.Context, static string) error {
	web, err := freePort(ctx)
	if err != nil {
		return err
	}
	if s.ssh, err = freePort(ctx); err != nil {
		return err
	}
	s.URL = "http://127.0.0.1:" + web
	if err := os.WriteFile(s.config(), []byte(s.settings(web, static)), 0o600); err != nil {
		return err
	}
	if _, err := s.cli(ctx, "migrate"); err != nil {
		return err
	}
	if err := s.AddUser(ctx, Admin); err != nil {
		return err
	}
	if s.program, err = controlplane.Alone(s.Dir, s.binary, "-c", s.config(), "-w", s.Dir, "web"); err != nil {
		return err
	}
	err = s.program.Await(ctx, func(ctx context.Context) error { return s.Call(ctx, Admin, http.MethodGet, "/version", nil, nil) })
	if err != nil {
		return err
	}
	if err := s.AddUser(ctx, Reader); err != nil {
		return err
	}
	return s.listen(ctx)
}

// listen has the forge tell when it has done with a push to a change. Until then it may still dismiss
// reviews, and its API does not show that.
func (s *Server) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.door = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var told struct {
			Change pull `json:"pull_request"`
		}
		if json.NewDecoder(req.Body).Decode(&told) == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.synced[told.Change.Head.SHA] = true
		}
	})}
	go func() { _ = s.door.Serve(l) }() // until it is closed
	return s.Call(ctx, Admin, http.MethodPost, "/admin/hooks", map[string]any{
		"type": "gitea", "active": true, "events": []string{"pull_request_sync"},
		"config": map[string]string{"url": "http://" + l.Addr().String(), "content_type": "json", "is_system_webhook": "true"},
	}, nil)
}

// done reports whether the forge has done with a push of that head to a change.
func (s *Server) done(head string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced[head]
}

// Halt ends it, and leaves what it kept where it is.
func (s *Server) Halt() error { return s.program.Stop() }

// Stop ends it and removes what it kept.
func (s *Server) Stop() error {
	var err error
	if s.program != nil {
		err = s.program.Stop()
	}
	if s.door != nil {
		err = errors.Join(err, s.door.Close())
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

func (s *Server) config() string { return filepath.Join(s.Dir, "app.ini") }

// settings are as few as let it run by itself, without other machines, mail or jobs in the background.
func (s *Server) settings(web, static string) string {
	return fmt.Sprintf(`RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[1]s
ROOT_URL = %[2]s/
OFFLINE_MODE = true
STATIC_ROOT_PATH = %[3]s
START_SSH_SERVER = true
SSH_DOMAIN = 127.0.0.1
SSH_LISTEN_HOST = 127.0.0.1
SSH_PORT = %[4]s
SSH_LISTEN_PORT = %[4]s
SSH_CREATE_AUTHORIZED_KEYS_FILE = false
[database]
DB_TYPE = sqlite3
PATH = %[5]s/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = of-a-test
INTERNAL_TOKEN = eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE3NjM5MDAwMDB9.4sXEYZ3Xg3l0tT3hS2w2zq0m3C1p0mVd1C0xq0Qv3nQ
ALLOWED_HOST_LIST = loopback
[webhook]
ALLOWED_HOST_LIST = loopback
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[repository]
ROOT = %[5]s/repositories
DEFAULT_BRANCH = main
[log]
LEVEL = Warn
`, web, s.URL, static, s.ssh, s.Dir)
}

// cli runs one of Gitea's own commands.
func (s *Server) cli(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append([]string{"-c", s.config(), "-w", s.Dir}, args...)...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("gitea %s: %w: %s%s", args, err, out, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// AddUser makes an account with a token and an SSH key.
func (s *Server) AddUser(ctx context.Context, name string) error {
	args := []string{"admin", "user", "create", "--username", name, "--password", "Passw0rd-" + name, "--email", name + "@example.com", "--must-change-password=false"}
	if name == Admin {
		args = append(args, "--admin")
	}
	if _, err := s.cli(ctx, args...); err != nil {
		return err
	}
	token, err := s.cli(ctx, "admin", "user", "generate-access-token", "--username", name, "--scopes", "all", "--raw", "--token-name", "test")
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.tokens[name] = token
	s.mu.Unlock()
	if name == Admin {
		return nil // before anything can be asked
	}
	var account struct{ ID int64 }
	if err := s.Call(ctx, name, http.MethodGet, "/user", nil, &account); err != nil {
		return err
	}
	s.mu.Lock()
	s.ids[name] = account.ID
	s.mu.Unlock()
	return s.addKey(ctx, name)
}

func (s *Server) addKey(ctx context.Context, name string) error {
	key := s.Key(name)
	for _, old := range []string{key, key + ".pub"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key).CombinedOutput(); err != nil {
		return fmt.Errorf("making a key for %s: %w: %s", name, err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return err
	}
	return s.Call(ctx, name, http.MethodPost, "/user/keys", map[string]any{"title": "laptop", "key": string(public)}, nil)
}

// Key is the file of somebody's private SSH key.
func (s *Server) Key(name string) string { return filepath.Join(s.Dir, name+".key") }

// Token is somebody's token for the API.
func (s *Server) Token(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[name]
}

// ID is the immutable number of somebody's account.
func (s *Server) ID(name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[name]
}

// SSH is the URL of a repository for git.
func (s *Server) SSH(path string) string {
	return "ssh://root@127.0.0.1:" + s.ssh + "/" + path + ".git"
}

// StatusError is an answer that is no success.
type StatusError struct {
	Status int
	Body   string
}

// Error implements error.
func (e *StatusError) Error() string { return strconv.Itoa(e.Status) + ": " + e.Body }

// Call asks the API as somebody, with a body to send and a value to fill, either of which may be nil.
func (s *Server) Call(ctx context.Context, as, method, path string, send, fill any) error {
	body, err := json.Marshal(send)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+s.Token(as))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s as %s: %w", method, path, as, &StatusError{resp.StatusCode, string(answer)})
	}
	if fill == nil {
		return nil
	}
	return json.Unmarshal(answer, fill)
}

// Must sends something as somebody, or fails the test.
func (s *Server) Must(t testing.TB, as, method, path string, send any) {
	t.Helper()
	if err := s.Call(t.Context(), as, method, path, send, nil); err != nil {
		t.Fatal(err)
	}
}

// AwaitBranch waits until the forge's own record has a branch at a commit. It takes no change of a branch
// that it has not recorded yet, and does so a moment after the push.
func (s *Server) AwaitBranch(t testing.TB, repository, branch, commit string) {
	t.Helper()
	s.Await(t, "branch "+branch+" is recorded", func() (bool, error) {
		var have struct{ Commit struct{ ID string } }
		err := s.Call(t.Context(), Admin, http.MethodGet, "/repos/"+repository+"/branches/"+branch, nil, &have)
		return have.Commit.ID == commit, err
	})
}

// Await asks until the answer is yes.
func (s *Server) Await(t testing.TB, what string, yes func() (bool, error)) {
	t.Helper()
	var last error
	err := s.program.Await(t.Context(), func(context.Context) error {
		ok, err := yes()
		if err == nil && !ok {
			err = errors.New("not yet")
		}
		last = err
		return err
	})
	if err != nil {
		t.Fatalf("awaiting that %s: %v (%v)", what, err, last)
	}
}

func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// Shared is one Server for all tests of a binary, started by the first that asks.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs the tests and ends the server.
func (s *Shared) Main(m *testing.M) int {
	defer func() {
		if s.server != nil {
			_ = s.server.Stop()
		}
	}()
	return m.Run()
}

// Server is the one there is.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		defer cancel()
		s.server, s.err = Start(ctx)
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}
