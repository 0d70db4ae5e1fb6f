package forge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ID spells an immutable number; empty for what is none.
func ID(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// Pages gathers the pages of a listing, from the first to the one after which next is 0, and refuses
// one of more than most items.
func Pages[T any](most int, get func(page int) (items []T, next int, err error)) ([]T, error) {
	var all []T
	for page, seen := 1, 0; page > 0; seen++ {
		items, next, err := get(page)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(all) > most || next > 0 && (next <= page || seen > most) {
			return nil, fmt.Errorf("a list of more than %d: %w", most, ErrTooMuch)
		}
		page = next
	}
	return all, nil
}

// List gathers MostPages pages of changes from the span's page on, as far as it reaches back. Get gives
// the changes of one page, newest first, and the page after it.
func List(at Span, get func(page int) (changes []Change, next int, err error)) (Listing, error) {
	var out Listing
	page := max(at.Page, 1)
	for range MostPages {
		changes, next, err := get(page)
		if err != nil {
			return Listing{}, err
		}
		if next > 0 && next <= page {
			return Listing{}, fmt.Errorf("%w: a listing that goes back", ErrAnswer)
		}
		for _, c := range changes {
			out.Oldest = c.UpdatedAt
			if c.UpdatedAt.Before(at.Since) {
				next = 0
				continue
			}
			if c.Target == at.Branch {
				out.Changes = append(out.Changes, c)
			}
		}
		if page = next; page == 0 {
			return out, nil
		}
	}
	out.Next = page
	return out, nil
}

// Each reads every entry of a page, or says which could not be.
func Each[T any](entries []T, read func(T) (Change, error)) ([]Change, error) {
	changes := make([]Change, 0, len(entries))
	for _, e := range entries {
		c, err := read(e)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// Page is the address of a change's page: below the forge's front page, by the path that the Repository
// names. What the forge says its address is could lead anywhere, and hold anything.
func Page(front, repository, below string, number int64) string {
	return strings.TrimSuffix(front, "/") + "/" + repository + below + strconv.FormatInt(number, 10)
}

// Split cuts a path into the owner and the name of a repository, or a team's organisation and name.
// They are put into URLs, and nothing else may be.
func Split(path string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(path, "/")
	for _, part := range []string{owner, name} {
		if strings.Trim(part, ".") == "" || strings.ContainsFunc(part, isStrange) {
			return "", "", errors.New("a path that is not an owner and a name") // whose it is, the caller knows
		}
	}
	return owner, name, nil
}

func isStrange(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
}

// Hidden is nil where an error says that something is not to be seen: who pushed is then not known.
func Hidden(err error) error {
	if errors.Is(err, ErrGone) || errors.Is(err, ErrDenied) {
		return nil
	}
	return err
}

// IsCommit reports whether text is a full object id.
func IsCommit(id string) bool {
	return (len(id) == 40 || len(id) == 64) && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(id, "0") != ""
}

// Check refuses an answer about another repository than was asked for, and commits that are none.
func (c Change) Check(r Repository) error {
	if r.ID != "" && c.Repository != r.ID {
		return fmt.Errorf("change %d is of repository %q, want %q: %w", c.Number, c.Repository, r.ID, ErrOther)
	}
	for _, id := range []string{c.Head, c.MergeBase, c.Landed} {
		if id != "" && !IsCommit(id) {
			return fmt.Errorf("%w: change %d names a commit that is none", ErrAnswer, c.Number)
		}
	}
	if c.Head == "" || c.Target == "" || c.Repository == "" || c.Number <= 0 {
		return fmt.Errorf("%w: change %d has no head, target, repository or number", ErrAnswer, c.Number)
	}
	return nil
}
