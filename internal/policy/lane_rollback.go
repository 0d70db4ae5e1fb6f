package policy

import (
	"strconv"

	"github.com/fairway-dev/fairway/internal/change"
)

// rollbackLane: the content is older than what was delivered, but was itself delivered here, not
// longer ago than the window, and as many people signed for going back to it as the tier asks for.
// Everything else is asked as on the proven lane: a revoked key or proof does not come back this
// way.
func rollbackLane(q *question) answer {
	if !q.t.Rollback.Enabled || !q.delivers(change.Create, change.Update) {
		return pass()
	}
	if !q.f.Gathered.Has(NeedProofs) {
		return answer{need: NeedProofs}
	}
	if _, rival := q.rivals(); rival != nil {
		return pass() // the proven lane said why
	}
	var nearest answer
	for i := range q.f.Candidates {
		c := &q.f.Candidates[i]
		if len(q.content(c)) > 0 || !stale(q.fresh(c)) {
			continue
		}
		f := q.goesBack(c)
		if f.Outcome == Allow {
			a := admit(CodeRolledBack, "back to "+short(c.Proof.Commit)+", delivered here before"+tolerated(c)).
				warn("Fairway rolled back to " + short(c.Proof.Commit) + "; Git is ahead of the cluster")
			a.proof = &c.Proof
			return a
		}
		if len(nearest.misses) == 0 && c.Marked == change.Present && !c.DeliveredAt.IsZero() {
			nearest = answer{misses: []Finding{f}, proof: &c.Proof}
			if f.Outcome == Pending {
				nearest.instead = CodeFresh // a signature is all that is missing
			}
		}
	}
	return nearest
}

// stale reports whether the only thing against a commit is its age.
func stale(misses []Finding) bool { return len(misses) == 1 && misses[0].Code == CodeFresh }

func (q *question) goesBack(c *Candidate) Finding {
	commit := short(c.Proof.Commit)
	if c.Marked != change.Present || c.DeliveredAt.IsZero() {
		return unmet(CodeRollback, Deny, "commit "+commit+" was never delivered here")
	}
	if w := q.t.Rollback.Window; w != 0 && (q.f.Now.IsZero() || q.f.Now.Sub(c.DeliveredAt) > w) {
		return unmet(CodeRollback, Deny, "commit "+commit+" was delivered longer ago than "+w.String())
	}
	need, have := q.t.Rollback.Approvals, len(q.signers(c.Rollback, ""))
	if have < need {
		return unmet(CodeRollback, Pending, "going back to "+commit+" needs "+count(need, "signed approval")+", has "+strconv.Itoa(have))
	}
	return Finding{Outcome: Allow}
}

// signers are the different people among the names, without the requester of the request and
// without except.
func (q *question) signers(names []string, except string) []string {
	self, _ := q.f.People.ByUser(q.f.Request.User.Name)
	seen := map[string]bool{"": true, except: true, self: true}
	var people []string
	for _, n := range names {
		if p, known := q.f.People.Get(n); known && !p.Robot && !seen[n] {
			seen[n] = true
			people = append(people, n)
		}
	}
	return people
}
