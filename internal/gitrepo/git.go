package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one git configuration value. All settings travel in the environment: unlike a command
// line, other users of the machine cannot read it.
type setting struct{ key, value string }

// hardened are the settings of every git process, also of one in a user's clone. They override
// whatever a repository or user configured.
func hardened() []setting {
	return []setting{
		{"core.hooksPath", os.DevNull},
		{"core.fsmonitor", "false"},
		{"core.attributesFile", os.DevNull},
		{"core.excludesFile", os.DevNull},
		{"core.commitGraph", "true"},
		{"commitGraph.readChangedPaths", "true"},
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
		{"receive.autogc", "false"},
		{"transfer.fsckObjects", "true"},
		{"fetch.fsckObjects", "true"},
		// Old tools wrote such dates; they stand in many histories long before any baseline. A commit
		// that has one is refused when it is read.
		{"fetch.fsck.badTimezone", "warn"},
		{"fetch.fsck.zeroPaddedDate", "warn"},
		{"fetch.unpackLimit", "1"}, // always one pack, which can be watched
		{"fetch.writeCommitGraph", "false"},
		{"fetch.recurseSubmodules", "false"},
		{"submodule.recurse", "false"},
		{"transfer.bundleURI", "false"},
		{"protocol.version", "2"},
		// Merging is pinned to git's own defaults, which is what forges merge with.
		{"merge.renames", "true"},
		{"merge.renameLimit", "7000"},
		{"merge.directoryRenames", "conflict"},
		{"merge.renormalize", "false"},
		{"init.defaultRefFormat", "files"},
		{"i18n.commitEncoding", "UTF-8"},
		{"diff.algorithm", "default"},
		{"diff.renames", "true"},
		{"diff.orderFile", os.DevNull},
		{"diff.ignoreSubmodules", "none"},
	}
}

// git runs the git binary for one repository.
type git struct {
	bin     string
	dir     string // GIT_DIR
	cwd     string
	env     []string
	limits  Limits
	secrets []string // cut out of whatever git says
	shared  bool     // a user's clone: prompts may reach the user's terminal
}

// mirrorEnv is the whole environment of git in a mirror: nothing of the user's but PATH.
func mirrorEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TMPDIR=" + os.TempDir(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_SHALLOW_FILE=",
	}
}

// cloneEnv is the environment of git in a user's clone: the user's own, but of git's variables only
// those that say how to reach a remote and where the user's configuration is.
func cloneEnv() []string {
	keep := []string{"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT",
		"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH",
		"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_CERT_PASSWORD_PROTECTED"}
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "GIT_") && !slices.Contains(keep, name)
	})
}

// command is one run of git.
type command struct {
	args     []string
	stdin    []byte
	settings []setting
	env      []string
	maxOut   int64 // bytes of output; 0: 1 MiB
	maxFile  int64 // bytes of any file that is written; 0: no limit
	untimed  bool  // waits for a person
}

func (g *git) environ(c command) []string {
	env := append(slices.Clone(g.env),
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE="+os.DevNull,
		"GIT_ATTR_NOSYSTEM=1", "GIT_LITERAL_PATHSPECS=1", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "TZ=UTC")
	if g.dir != "" { // empty while git itself is asked where the repository is
		env = append(env, "GIT_DIR="+g.dir)
	}
	settings := append(hardened(), c.settings...)
	for i, s := range settings {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+s.key, "GIT_CONFIG_VALUE_"+n+"="+s.value)
	}
	return append(append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings))), c.env...)
}

// prepare makes a process that ends with ctx.
func (g *git) prepare(ctx context.Context, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.bin, c.args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = g.environ(c), g.cwd, 2*time.Second
	if !g.shared {
		ownGroup(cmd)
	}
	return cmd
}

// output runs git and returns what it prints.
func (g *git) output(ctx context.Context, c command) ([]byte, error) {
	var out []byte
	limit := orDefault(c.maxOut, 1<<20)
	err := g.stream(ctx, c, func(r io.Reader) error {
		var err error
		out, err = io.ReadAll(io.LimitReader(r, limit+1))
		if err == nil && int64(len(out)) > limit {
			err = &LimitError{What: "bytes of output of git " + c.args[0], Limit: limit}
		}
		return err
	})
	return out, err
}

// stream runs git and hands what it prints to read. An error of read ends git and wins.
func (g *git) stream(ctx context.Context, c command, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !c.untimed {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, g.limits.Time,
			&LimitError{What: "seconds for one git process", Limit: int64(g.limits.Time / time.Second), Where: c.args[0]})
		defer stop()
	}
	cmd := g.prepare(ctx, c)
	var said tail
	cmd.Stderr = &said
	if c.stdin != nil {
		cmd.Stdin = bytes.NewReader(c.stdin)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("preparing git %s: %w", c.args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting git: %w", err)
	}
	confine(cmd.Process.Pid, g.limits.Memory, c.maxFile)
	readErr := read(out)
	if readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF) {
		cancel(readErr)
	}
	if err := g.explain(ctx, c, cmd.Wait(), string(said)); err != nil {
		return err
	}
	return readErr
}

// explain turns how git ended into an error: a limit, the end of the context, or what git said.
func (g *git) explain(ctx context.Context, c command, err error, said string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(strings.ToLower(said), "out of memory"):
		return &LimitError{What: "bytes of memory for one git process", Limit: g.limits.Memory, Where: c.args[0]}
	}
	return &gitError{command: c.args[0], err: err, said: g.redact(said)}
}

// gitError is how a git process failed, and the end of what it said, on one line.
type gitError struct {
	command string
	err     error
	said    string
}

// Error quotes what git said, since a remote can choose it, and cuts it short.
func (e *gitError) Error() string {
	const most = 300
	said := e.said
	if len(said) > most {
		said = "…" + strings.ToValidUTF8(said[len(said)-most:], "")
	}
	return fmt.Sprintf("git %s: %v: %q", e.command, e.err, said)
}

func (e *gitError) Unwrap() error { return e.err }

// exitCode is the exit code of a git process that ended by itself, else -1.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// redact cuts secrets and the user part of URLs out of what git said, and whatever the remote said:
// it was asked with a credential, and could give it back in a form that nobody recognises (T-38).
func (g *git) redact(said string) string {
	said = ownWords(said)
	for _, s := range g.secrets {
		said = strings.ReplaceAll(said, s, "***")
	}
	return withoutUserinfo(strings.Join(strings.Fields(said), " "))
}

// ownWords leaves out the lines that git passes on from a remote, and what follows where it begins one
// itself. The first line may have lost its beginning, and could be the remote's.
func ownWords(said string) string {
	var own []string
	for i, line := range strings.FieldsFunc(said, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.HasPrefix(line, "remote:") || i == 0 && len(said) >= mostSaid {
			continue
		}
		for _, quotes := range []string{"remote error: ", "bad line length character: ", "protocol error: unexpected ", "unknown response ", "redirect: "} {
			if before, _, found := strings.Cut(line, quotes); found {
				line = before + strings.TrimSuffix(quotes, ": ")
			}
		}
		own = append(own, line)
	}
	return strings.Join(own, "\n")
}

// withoutUserinfo drops what stands between "://" and an "@" in the same word.
func withoutUserinfo(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		scheme, rest, ok := strings.Cut(w, "://")
		if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
			words[i] = scheme + "://" + rest[at+1:]
		}
	}
	return strings.Join(words, " ")
}

// mostSaid is how much of what git says is kept: the end.
const mostSaid = 4096

// tail keeps the last bytes written to it.
type tail []byte

func (b *tail) Write(p []byte) (int, error) {
	*b = append(*b, p[max(0, len(p)-mostSaid):]...)
	*b = (*b)[max(0, len(*b)-mostSaid):]
	return len(p), nil
}
