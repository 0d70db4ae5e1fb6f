package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// reachRemote is how a clone reaches a remote: as its user configured it.
func reachRemote(_ context.Context, remote string) (transport, error) {
	if remote == "" || remote[0] == '-' || strings.Contains(remote, "::") || strings.ContainsFunc(remote, control) {
		return transport{}, fmt.Errorf("remote %q: not the name or URL of a remote", withoutUserinfo(remote))
	}
	return transport{url: remote}, nil
}

// remoteRef is the id of a remote's ref; empty where the remote has none.
func (r *Repo) remoteRef(ctx context.Context, t transport, ref string) (string, error) {
	out, err := r.output(ctx, command{
		args: []string{"ls-remote", "--end-of-options", t.url, ref}, settings: t.settings, env: t.env, untimed: r.git.shared,
	})
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); name == ref && fullID(id) {
			return id, nil
		}
	}
	return "", nil
}

// FetchLog brings a remote's append-only ref here, so that Append goes on from it. Nothing happens
// where the remote has none, or an older one. ErrDiverged.
func (r *Repo) FetchLog(ctx context.Context, remote, ref string) error {
	if err := r.fetchLog(ctx, remote, ref); err != nil {
		return fmt.Errorf("fetching the log %q: %w", ref, err)
	}
	return nil
}

func (r *Repo) fetchLog(ctx context.Context, remote, ref string) error {
	t, err := r.reach(ctx, remote)
	if err != nil {
		return err
	}
	theirs, err := r.remoteRef(ctx, t, ref)
	if err != nil || theirs == "" {
		return err
	}
	_, err = r.output(ctx, command{
		args: []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
			"--no-auto-maintenance", "--refmap=", "--end-of-options", t.url, ref},
		settings: t.settings, env: t.env, untimed: r.git.shared,
	})
	if err != nil {
		return err
	}
	ours, err := r.ref(ctx, ref)
	switch {
	case errors.Is(err, ErrNotFound):
		ours = strings.Repeat("0", len(theirs))
	case err != nil:
		return err
	default:
		if ahead, err := r.continues(ctx, theirs, ours); err != nil || ahead {
			return err
		}
		if behind, err := r.continues(ctx, ours, theirs); err != nil || !behind {
			return cmp.Or(err, ErrDiverged)
		}
	}
	_, err = r.run(ctx, "update-ref", "--end-of-options", ref, theirs, ours)
	return err
}

// continues reports whether a log with the tip now goes on from one with the tip before.
func (r *Repo) continues(ctx context.Context, before, now string) (bool, error) {
	_, err := r.Chain(ctx, before, now)
	if errors.Is(err, ErrNotOnChain) || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Push sends an append-only ref to a remote, its name or URL; for a Mirror, "" is its own. It takes
// a lease on what the remote has, which must be something that ours goes on from. ErrDiverged.
func (r *Repo) Push(ctx context.Context, remote, ref string) error {
	if err := r.push(ctx, remote, ref); err != nil {
		return fmt.Errorf("pushing the log %q: %w", ref, err)
	}
	return nil
}

func (r *Repo) push(ctx context.Context, remote, ref string) error {
	if !refName(ref) || !strings.HasPrefix(ref, logRefs) {
		return errors.New("not an append-only ref")
	}
	t, err := r.reach(ctx, remote)
	if err != nil {
		return err
	}
	ours, err := r.ref(ctx, ref)
	if err != nil {
		return err
	}
	theirs, err := r.remoteRef(ctx, t, ref)
	if err != nil || theirs == ours {
		return err
	}
	if theirs != "" {
		if on, err := r.continues(ctx, theirs, ours); err != nil || !on {
			return cmp.Or(err, ErrDiverged)
		}
	}
	_, err = r.output(ctx, command{
		args: []string{"push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", "--no-signed",
			"--force-with-lease=" + ref + ":" + theirs, "--end-of-options", t.url, ours + ":" + ref},
		settings: t.settings, env: t.env, untimed: r.git.shared,
	})
	return err
}
