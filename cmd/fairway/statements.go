package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// readStatements reads what is new on the approval refs and verifies all statements against the
// people in force. A statement that is not believed is told and counts for nothing.
func (m *mirrors) readStatements(ctx context.Context, name string, at *mirrored, v attest.Verifier) error {
	refs, err := at.mirror.Refs(ctx, attest.RefPrefix)
	if err != nil {
		return fmt.Errorf("listing approvals: %w", err)
	}
	for _, ref := range refs {
		if err := m.readRef(ctx, name, at, ref, v); err != nil {
			return err
		}
	}
	var all believed
	for _, ref := range slices.Sorted(maps.Keys(at.book.pages)) {
		if err := m.weigh(name, at, ref, v, &all); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at.approvals, at.rollbacks = at.names.Approvals(all.approvals), at.names.Rollbacks(all.rollbacks) // the gate reads the roll-backs meanwhile
	at.envelopes = all.envelopes
	return nil
}

// believed are statements whose signatures are good.
type believed struct {
	approvals []attest.Verified
	rollbacks []attest.Signed[attest.Rollback]
	envelopes []string // of the roll-backs, in the same order
}

// believe adds a statement if it is believed, and returns the digest of what was signed.
func (s *believed) believe(r attest.Record, v attest.Verifier) (digest string, no *attest.Refusal) {
	approval, no := attest.FromRef(r, v)
	if no == nil {
		s.approvals = append(s.approvals, approval)
		return approval.Digest(), nil
	}
	rollback, notRollback := attest.RollbackFromRef(r, v)
	if notRollback == nil {
		s.rollbacks, s.envelopes = append(s.rollbacks, rollback), append(s.envelopes, string(r.Envelope))
		return rollback.Digest(), nil
	}
	return "", no
}

// weigh verifies what stands on a ref. What passes the bounds of the book is told. A ref of which
// nothing more is read counts for nothing: what was not read may be a withdrawal.
func (m *mirrors) weigh(name string, at *mirrored, ref string, v attest.Verifier, all *believed) error {
	var here believed
	page := at.book.of(ref)
	for _, e := range page.entries {
		digest, no := here.believe(e.Record, v)
		switch {
		case no != nil:
			m.tell(name, at, ref+" "+e.Commit, fmt.Sprintf("a statement on %s is not believed: %s", ref, no))
		case e.Believed == "":
			if err := at.book.believe(e, digest); err != nil && !errors.Is(err, errBookFull) {
				return err
			}
		}
	}
	if page.forgot {
		m.tell(name, at, ref+" forgot", "more stands on "+ref+" that nobody believes than is kept; the oldest of it is forgotten")
	}
	if page.full {
		m.tell(name, at, ref+" full", fmt.Sprintf(
			"%s holds more than %d MiB of good statements, and none of it counts; look at who writes there", ref, mostBelieved>>20))
		return nil
	}
	all.approvals = append(all.approvals, here.approvals...)
	all.rollbacks = append(all.rollbacks, here.rollbacks...)
	all.envelopes = append(all.envelopes, here.envelopes...)
	return nil
}

// mostTold bounds what is remembered of what people were told; then all may be told once more.
const mostTold = 10_000

// tell alarms once.
func (m *mirrors) tell(name string, at *mirrored, key, what string) {
	if at.told[key] {
		return
	}
	if len(at.told) >= mostTold {
		clear(at.told)
	}
	at.told[key] = true
	m.alarm(name, what)
}

// readRef reads what is new on one ref. What is wrong with a ref concerns the statements on it and
// nobody else's: it is told, and the others go on.
func (m *mirrors) readRef(ctx context.Context, name string, at *mirrored, ref gitrepo.Ref, v attest.Verifier) error {
	page := at.book.of(ref.Name)
	for page.last != ref.ID {
		log, err := at.mirror.ReadRefLog(ctx, ref.Name, page.last)
		if errors.Is(err, gitrepo.ErrRewound) {
			m.alarm(name, ref.Name+" was rewound; what it said before is kept")
			log, err = at.mirror.ReadRefLog(ctx, ref.Name, "")
		}
		var limit *gitrepo.LimitError
		if errors.Is(err, gitrepo.ErrMalformed) || errors.As(err, &limit) {
			m.tell(name, at, ref.Name+" "+ref.ID, fmt.Sprintf("%s holds no log of statements that can be read: %v", ref.Name, err))
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", ref.Name, err)
		}
		if len(log) == 0 {
			return nil
		}
		if err := m.keep(at, ref.Name, log, v); errors.Is(err, errBookFull) {
			return nil // told with what counts
		} else if err != nil {
			return err
		}
	}
	return nil
}

// keep adds statements to those of a ref.
func (m *mirrors) keep(at *mirrored, ref string, log []gitrepo.LogEntry, v attest.Verifier) error {
	for _, entry := range log {
		seen, err := at.sightings.First(entry.Commit, m.now())
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(entry.Files)) {
			record := attest.Record{Ref: ref, Commit: entry.Commit, SeenAt: seen, Envelope: entry.Files[name]}
			digest, _ := new(believed).believe(record, v) // why not is told when all are weighed
			if err := at.book.write(record, digest); err != nil {
				return err
			}
		}
		at.book.of(ref).last = entry.Commit
	}
	return nil
}
