package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogEntry is one commit of an append-only ref.
type LogEntry struct {
	Commit  string
	Carries []string          // commits that travel with the entry
	Files   map[string][]byte // by name
	// Refused says why the entry cannot be read; the others can all the same, so that whoever may
	// push to a ref cannot hide what stands on it.
	Refused string
}

// The bounds of one entry and of one answer.
const (
	mostEntryFiles = 16
	mostEntryBytes = 1 << 20
	mostPageBytes  = 16 << 20
	mostPage       = 1000
)

// logRefs is the namespace of append-only refs.
const logRefs = "refs/fairway/"

// Append adds an entry to an append-only ref below refs/fairway/ and returns its commit. A file has
// one plain name. carries are commits that must travel with the ref, such as the approved head: they
// become further parents of the entry. Nobody signs the commit; what is in it speaks for itself.
//
// An entry's first parent is the entry before. The first one's is a root without files that is the
// same commit everywhere, so that a log can be told from any other history. Append fails where
// somebody else appended in the meantime. In a Mirror, what is not pushed is gone with the next Fetch.
func (r *Repo) Append(ctx context.Context, ref, message string, files map[string][]byte, carries []string) (string, error) {
	id, err := r.appendEntry(ctx, ref, message, files, carries)
	if err != nil {
		return "", fmt.Errorf("appending to %q: %w", ref, err)
	}
	return id, nil
}

func (r *Repo) appendEntry(ctx context.Context, ref, message string, files map[string][]byte, carries []string) (string, error) {
	if !refName(ref) || !strings.HasPrefix(ref, logRefs) {
		return "", errors.New("not an append-only ref")
	}
	if len(files) == 0 || len(files) > mostEntryFiles {
		return "", &LimitError{What: "files in one entry", Limit: mostEntryFiles}
	}
	for _, id := range carries {
		if err := r.holds(ctx, id); err != nil {
			return "", err
		}
	}
	before, err := r.ref(ctx, ref)
	parent := before
	if errors.Is(err, ErrNotFound) {
		parent, err = r.logRoot(ctx)
		before = strings.Repeat("0", len(parent))
	}
	if err != nil {
		return "", err
	}
	tree, err := r.writeTree(ctx, files)
	if err != nil {
		return "", err
	}
	id, err := r.writeCommit(ctx, tree, message, append([]string{parent}, carries...), fmt.Sprintf("@%d +0000", time.Now().Unix()))
	if err != nil {
		return "", err
	}
	_, err = r.run(ctx, "update-ref", "--end-of-options", ref, id, before)
	return id, err
}

// logRoot writes the root of all logs.
func (r *Repo) logRoot(ctx context.Context) (string, error) {
	tree, err := r.writeTree(ctx, nil)
	if err != nil {
		return "", err
	}
	return r.writeCommit(ctx, tree, "Fairway: append-only log", nil, "@0 +0000")
}

func (r *Repo) writeTree(ctx context.Context, files map[string][]byte) (string, error) {
	var in strings.Builder
	total := 0
	for name, content := range files {
		if !entryFile(name) {
			return "", fmt.Errorf("file %q: not a plain name", name)
		}
		if total += len(content); total > mostEntryBytes {
			return "", &LimitError{What: "bytes in one entry", Limit: mostEntryBytes}
		}
		id, err := r.write(ctx, command{args: []string{"hash-object", "-w", "--no-filters", "--stdin"}, stdin: content})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&in, "100644 blob %s\t%s\x00", id, name)
	}
	return r.write(ctx, command{args: []string{"mktree", "-z"}, stdin: []byte(in.String())})
}

func (r *Repo) writeCommit(ctx context.Context, tree, message string, parents []string, date string) (string, error) {
	args := []string{"commit-tree", "-F", "-"}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	env := []string{"GIT_AUTHOR_NAME=Fairway", "GIT_AUTHOR_EMAIL=fairway@localhost", "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=Fairway", "GIT_COMMITTER_EMAIL=fairway@localhost", "GIT_COMMITTER_DATE=" + date}
	return r.write(ctx, command{args: append(args, tree), stdin: []byte(message + "\n"), env: env})
}

// write runs a command that writes one object and prints its id.
func (r *Repo) write(ctx context.Context, c command) (string, error) {
	if c.stdin == nil {
		c.stdin = []byte{}
	}
	out, err := r.output(ctx, c)
	id := strings.TrimSuffix(string(out), "\n")
	if err == nil && !fullID(id) {
		err = fmt.Errorf("git %s: unexpected answer %q", c.args[0], id)
	}
	return id, err
}

func entryFile(s string) bool {
	return s != "" && len(s) <= 100 && s[0] != '.' && s[0] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// ReadRefLog is what was appended to a ref, oldest first. after is the newest entry that was seen
// before, or empty: only what came later is returned, and ErrRewound where the ref no longer holds
// it. ref may also be a full commit id, to read on from a tip that was rewound.
//
// A thousand entries come at once, or fewer of much content: the reader asks again, after the last of
// them, until none come.
// ErrNotFound; ErrMalformed where the ref holds a history that is no log.
func (r *Repo) ReadRefLog(ctx context.Context, ref, after string) ([]LogEntry, error) {
	entries, err := r.readLog(ctx, ref, after)
	if err != nil {
		return nil, fmt.Errorf("reading the log %q: %w", ref, err)
	}
	return entries, nil
}

func (r *Repo) readLog(ctx context.Context, ref, after string) ([]LogEntry, error) {
	tip, err := ref, error(nil)
	if !fullID(ref) {
		tip, err = r.ref(ctx, ref)
	}
	if errors.Is(err, ErrNotFound) && after != "" {
		return nil, ErrRewound
	}
	if err != nil {
		return nil, err
	}
	ids, err := r.logChain(ctx, tip, after)
	if err != nil {
		return nil, err
	}
	var entries []LogEntry
	bytes := 0
	for _, id := range ids {
		e, err := r.readEntry(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, f := range e.Files {
			bytes += len(f)
		}
		if entries = append(entries, e); bytes > mostPageBytes {
			break
		}
	}
	return entries, nil
}

// logChain is the ids of the first entries after one of them, oldest first, however many there are.
func (r *Repo) logChain(ctx context.Context, tip, after string) ([]string, error) {
	if after == tip {
		return nil, nil
	}
	chain := []string{"--first-parent", tip}
	if after != "" {
		if err := r.holds(ctx, after); errors.Is(err, ErrNotFound) || errors.Is(err, ErrMalformed) {
			return nil, fmt.Errorf("%w: entry %s is gone", ErrRewound, after)
		} else if err != nil {
			return nil, err
		}
		chain = append(chain, "^"+after)
	}
	out, err := r.run(ctx, append([]string{"rev-list", "--count"}, chain...)...)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return nil, fmt.Errorf("counting entries: %w", err)
	}
	page := min(n, mostPage+1, r.limits.Commits)
	lines, err := r.revList(ctx, append([]string{"--parents", "--skip=" + strconv.Itoa(n-page)}, chain...)...)
	if err != nil {
		return nil, err
	}
	slices.Reverse(lines)
	return r.logPage(ctx, lines, after)
}

// logPage checks that a page begins where it must: with the root of all logs, or after the entry that
// was seen before.
func (r *Repo) logPage(ctx context.Context, lines []string, after string) ([]string, error) {
	var ids []string
	for i, line := range lines {
		f := strings.Fields(line)
		if i == 0 && after != "" && (len(f) < 2 || f[1] != after) {
			return nil, fmt.Errorf("%w: entry %s is gone", ErrRewound, after)
		}
		ids = append(ids, f[0])
	}
	if after != "" {
		if len(ids) == 0 {
			return nil, fmt.Errorf("%w: entry %s is gone", ErrRewound, after)
		}
		return ids, nil
	}
	root, err := r.Object(ctx, ids[0])
	if err != nil {
		return nil, err
	}
	if len(root.Parents) > 0 || root.Tree != emptyTree(root.ID) || root.Committer.When.Unix() != 0 {
		return nil, &MalformedError{ID: root.ID, Reason: "a history that begins with it is no log"}
	}
	return ids[1:], nil
}

// readEntry reads one entry. What is wrong with the entry itself does not stop the reading of others.
func (r *Repo) readEntry(ctx context.Context, id string) (LogEntry, error) {
	e := LogEntry{Commit: id}
	err := r.fillEntry(ctx, &e)
	var limit *LimitError
	var unreadable *UnreadableError
	if ctx.Err() == nil && (errors.Is(err, ErrMalformed) || errors.As(err, &limit) || errors.As(err, &unreadable)) {
		e.Files, e.Refused, err = nil, err.Error(), nil
	}
	return e, err
}

func (r *Repo) fillEntry(ctx context.Context, e *LogEntry) error {
	o, err := r.Object(ctx, e.Commit)
	if err != nil {
		return err
	}
	if len(o.Parents) > 0 {
		e.Carries = o.Parents[1:]
	}
	raw, err := r.read(ctx, o.Tree, "tree", mostEntryBytes)
	if err != nil {
		return err
	}
	l, refused := parseTree(raw, len(e.Commit)/2)
	if refused != "" {
		return &MalformedError{ID: o.Tree, Reason: "tree " + refused}
	}
	if len(l.entries) > mostEntryFiles {
		return &LimitError{What: "files in one entry", Limit: mostEntryFiles}
	}
	e.Files = map[string][]byte{}
	room := int64(mostEntryBytes)
	for _, f := range l.entries {
		if f.Kind != File {
			return &UnreadableError{Path: f.Name, Kind: f.Kind}
		}
		content, err := r.read(ctx, f.ID, "blob", room)
		if err != nil {
			return err
		}
		e.Files[f.Name] = content
		room -= int64(len(content))
	}
	return nil
}
