package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// HeadsLimit is how many heads one call of FetchHeads takes.
const HeadsLimit = 256

// FetchHeads brings here what the remote serves under some refs, or, where a full id is given, the
// commit itself: heads of changes, which are compared and never followed. No ref is kept for them; what
// was fetched stays readable by its id. Each of them may be anybody's, so one that the remote does not
// have, does not give, or that is over the limits is only returned as missing. LimitError where there
// are more than HeadsLimit.
func (m *Mirror) FetchHeads(ctx context.Context, heads []string) (missing []string, err error) {
	if len(heads) > HeadsLimit {
		return heads, &LimitError{What: "heads", Limit: HeadsLimit}
	}
	m.fetching.Lock()
	defer m.fetching.Unlock()
	heads = slices.DeleteFunc(slices.Clone(heads), func(h string) bool {
		if refName(h) || fullID(h) {
			return false
		}
		missing = append(missing, h)
		return true
	})
	if len(heads) == 0 {
		return missing, nil
	}
	t, err := m.reach(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("fetching heads of %q: %w", m.remote.given, err)
	}
	refused, err := m.fetchHeads(ctx, t, heads)
	if err != nil {
		return nil, fmt.Errorf("fetching heads of %q: %w", m.remote.given, errors.Join(err, m.sweep()))
	}
	return append(missing, refused...), nil
}

// fetchHeads fetches all at once, and where that fails because of one of them, each alone.
func (m *Mirror) fetchHeads(ctx context.Context, t transport, heads []string) (missing []string, err error) {
	err = m.fetchSpecs(ctx, t, strings.Join(heads, "\n")+"\n", "--refmap=")
	switch {
	case err == nil:
		return nil, nil
	case !isRefusal(err) || ctx.Err() != nil:
		return nil, err
	case len(heads) == 1:
		return heads, m.sweep()
	}
	for _, h := range heads {
		none, err := m.fetchHeads(ctx, t, []string{h})
		if err != nil {
			return nil, err
		}
		missing = append(missing, none...)
	}
	return missing, nil
}

// isRefusal: the error is about a head, not about the remote.
func isRefusal(err error) bool {
	var limit *LimitError
	var said *gitError
	if errors.As(err, &limit) {
		return true
	}
	return errors.As(err, &said) && slices.ContainsFunc([]string{
		"couldn't find remote ref", "not our ref", "does not allow request for unadvertised object", "unadvertised object",
	}, func(s string) bool { return strings.Contains(said.said, s) })
}
