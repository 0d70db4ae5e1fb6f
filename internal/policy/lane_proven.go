package policy

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// provenLane: the request is the apply of exactly what Git renders at a commit that the tier
// admits, judged under the policy in force, and no older than what was delivered. All of it must
// hold for one and the same proof. A commit that is being proven right now is waited for; else the
// refusal explains the nearest miss.
func provenLane(q *question) answer {
	if !q.delivers(change.Create, change.Update) {
		return pass()
	}
	if !q.f.Gathered.Has(NeedProofs) {
		return answer{need: NeedProofs}
	}
	if f, rival := q.rivals(); rival != nil {
		return answer{misses: []Finding{f}, proof: &rival.Proof}
	}
	var nearest []Finding
	var near *Candidate
	for i := range q.f.Candidates {
		c := &q.f.Candidates[i]
		misses := append(q.content(c), q.fresh(c)...)
		if len(misses) == 0 {
			misses = moment(c)
		}
		if len(misses) == 0 {
			return q.proven(c)
		}
		if near == nil || q.nearer(c, misses, near, nearest) {
			near, nearest = c, misses
		}
	}
	if q.f.Making == change.Present {
		return miss(unmet(CodeBeingProven, Pending, "commit "+short(q.f.Origin.Commit)+" was seen and is being proven"))
	}
	if near == nil {
		none := unmet(CodeNotProven, Deny, "tier "+Quote(q.t.Name)+" admits what Git renders at a proven commit, and no proof speaks of this"+claim(q.f.Origin))
		return answer{misses: append(q.declared(), none), fallback: true}
	}
	return answer{misses: nearest, proof: &near.Proof}
}

// rivals are two sources whose newest admissible proofs both render the object, which voids both
// for it (ruling 11). A commit that the tier refused voids nothing, or anybody could with a push;
// and after a move the old source's newest proof does not render the object any more. Where it is
// not known whether there are two, the object waits.
func (q *question) rivals() (Finding, *Candidate) {
	var first *Candidate
	for i := range q.f.Candidates {
		c := &q.f.Candidates[i]
		if q.delivering(c) == change.Absent {
			continue
		}
		if first == nil {
			first = c
		} else if c.Proof.Key != first.Proof.Key {
			o := Deny
			if q.delivering(first) != change.Present || q.delivering(c) != change.Present {
				o = Unknown
			}
			return unmet(CodeTwoSources, o, doubtful(o, "both source "+Quote(first.Proof.Source)+" at "+short(first.Proof.Commit)+
				" and source "+Quote(c.Proof.Source)+" at "+short(c.Proof.Commit)+" render it")), first
		}
	}
	return Finding{}, nil
}

// delivering says whether a candidate is what its source would deliver now.
func (q *question) delivering(c *Candidate) change.Found {
	if c.Proof.Revoked {
		return change.Absent
	}
	if q.i >= len(c.Standings) || c.Standings[q.i].Tier != q.t.Name {
		return change.CouldNotTell
	}
	s := c.Standings[q.i]
	if s.Newest == change.Absent {
		return change.Absent
	}
	if j, ok := q.judgement(c); ok {
		if j.Admissible != change.Present {
			return j.Admissible
		}
		return s.Newest
	}
	return change.CouldNotTell // not judged yet
}

func (q *question) proven(c *Candidate) answer {
	a := admit(CodeProven, "what Git renders at "+short(c.Proof.Commit)+tolerated(c))
	a.proof = &c.Proof
	if len(q.f.Origin.Conflicts) > 0 {
		a = a.warn("its marks of origin contradict each other: " + quoted(q.f.Origin.Conflicts))
	}
	return a
}

func tolerated(c *Candidate) string {
	if len(c.Tolerated) == 0 {
		return ""
	}
	return ", tolerating " + quoted(c.Tolerated)
}

func claim(o change.Origin) string {
	if o.Commit == "" {
		return ""
	}
	return "; it names commit " + short(o.Commit)
}

// content says what keeps a candidate from being admitted, whatever was delivered before.
func (q *question) content(c *Candidate) []Finding {
	var misses []Finding
	if f := q.fits(c); f.Outcome != Allow {
		misses = append(misses, f)
	}
	if c.Proof.Revoked {
		misses = append(misses, unmet(CodeRevoked, Deny, "the proof of commit "+short(c.Proof.Commit)+" was revoked"))
	}
	misses = append(misses, q.judged(c)...)
	misses = append(misses, q.deliverer(c)...)
	return append(misses, q.declared()...)
}

// moment: what Helm runs in a roll-back alone runs before anything is taken back, and so before the
// roll-back is judged. It asks for what the roll-back asks for, though the newest commit holds it too.
func moment(c *Candidate) []Finding {
	o := outcomeOf(negate(c.OfRollback))
	if o == Allow || c.WentBack {
		return nil
	}
	return []Finding{unmet(CodeRollback, o, doubtful(o, "it is a hook of a roll-back, and nothing is rolled back to "+short(c.Proof.Commit)))}
}

// deliverer: where a source lists who delivers it, nobody else does. A name or a token proves nothing
// about what is delivered; this asks for more than content, and never for less.
func (q *question) deliverer(c *Candidate) []Finding {
	user := q.f.Request.User
	if c.Via.Delivers(user.Name, user.Extra) {
		return nil
	}
	return []Finding{unmet(CodeDeliverer, Deny, "source "+Quote(c.Proof.Source)+" is delivered by "+plain(c.Via.Deliverers())+", not by "+Quote(user.Name))}
}

// fits holds the request against the content of a candidate.
func (q *question) fits(c *Candidate) Finding {
	at := "what Git renders at " + short(c.Proof.Commit)
	switch c.Fit {
	case FitBound:
		return Finding{Outcome: Allow}
	case FitDiffers:
		return unmet(CodeContent, Deny, "it is not "+at+fields(c.Paths))
	case FitOtherVersion:
		return unmet(CodeContent, Deny, "it was applied in another API version than "+at)
	case FitForeignGain, FitForeignLoss, FitForeignChange, FitForeignRemoval:
		if slices.ContainsFunc(c.Paths, clientSide) {
			return unmet(CodeServerSide, Deny, "it is a client-side apply, which no field manager answers for")
		}
		return unmet(CodeContent, Deny, "fields changed that the apply of "+Quote(c.Manager)+" does not explain"+fields(c.Paths))
	case FitAddition:
		return unmet(CodeContent, Deny, "it has fields that nobody owns and that are no defaults"+fields(c.Paths))
	case FitNotApplied:
		return unmet(CodeServerSide, Deny, "it is no server-side apply by the field manager "+Quote(c.Manager))
	case FitDuplicate:
		return unmet(CodeIncomparable, Deny, "a list has two items of one key"+fields(c.Paths))
	case FitUnknownKind:
		return unmet(CodeIncomparable, Deny, "its kind has no schema")
	case FitUnreadable:
		return unmet(CodeIncomparable, Deny, "the object cannot be read")
	}
	return unmet(CodeCannotTell, Unknown, "nobody could compare it with "+at)
}

// clientSide reports whether a field is the one that a client-side apply writes (ruling 25). Who writes it
// by other means is told the same, and refused all the same.
func clientSide(path string) bool {
	return strings.Contains(path, "kubectl.kubernetes.io/last-applied-configuration")
}

// judged says what the tier's own judgement of the commit lacks. One that was made under another
// policy does not count (ruling 4).
func (q *question) judged(c *Candidate) []Finding {
	if q.i >= len(c.Standings) || c.Standings[q.i].Tier != q.t.Name {
		return []Finding{unmet(CodeCannotTell, Unknown, "nobody could tell how the commit stands with tier "+Quote(q.t.Name))}
	}
	if j, ok := q.judgement(c); ok {
		return q.standing(c, j)
	}
	return []Finding{unmet(CodeJudgedAgain, Pending, "commit "+short(c.Proof.Commit)+" was not judged yet by tier "+Quote(q.t.Name)+" as it is now")}
}

// judgement is that of the tier under a policy that is accepted now.
func (q *question) judgement(c *Candidate) (change.Judgement, bool) {
	for _, j := range c.Proof.Judgements {
		if j.Tier == q.t.Name && listed(c.Standings[q.i].Digests, j.PolicyDigest) {
			return j, true
		}
	}
	return change.Judgement{}, false
}

func (q *question) standing(c *Candidate, j change.Judgement) []Finding {
	o := outcomeOf(j.Admissible)
	if o == Deny && j.Pending {
		o = Pending
	}
	if o == Allow {
		return nil
	}
	var misses []Finding
	for _, line := range j.Missing {
		misses = append(misses, parseLine(line, o))
	}
	if len(misses) == 0 {
		misses = append(misses, unmet(CodeAdmissible, o, "tier "+Quote(q.t.Name)+" does not admit commit "+short(c.Proof.Commit)))
	}
	return bounded(misses)
}

// declared says what the object lacks in words about its origin, where the tier asks for them.
// They prove nothing: they tell people where to look.
func (q *question) declared() []Finding {
	if q.t.Declared == tier.DeclaredOptional {
		return nil
	}
	if len(q.f.Origin.Conflicts) > 0 {
		return []Finding{unmet(CodeConflict, Deny, quoted(q.f.Origin.Conflicts))}
	}
	if !q.f.Origin.Declared() {
		return []Finding{unmet(CodeDeclared, Deny, "tier "+Quote(q.t.Name)+" asks each object to name its repository and commit")}
	}
	return nil
}

// fresh: the commit is the newest that was delivered here or a descendant of it; where nothing was
// delivered yet, the newest that is proven (ruling 3). All proofs of a source that are not revoked
// lie on one first-parent chain, so that the height says who descends from whom.
func (q *question) fresh(c *Candidate) []Finding {
	cannot := []Finding{unmet(CodeCannotTell, Unknown, "nobody could tell whether a newer commit was delivered")}
	switch {
	case c.Marked == change.Present && c.Delivered != nil && c.Delivered.Commit != "":
		d := c.Delivered
		if c.Proof.Height > d.Height || c.Proof.Height == d.Height && c.Proof.Commit == d.Commit {
			return nil
		}
		return []Finding{unmet(CodeFresh, Deny, "commit "+short(c.Proof.Commit)+" is older than "+short(d.Commit)+", which was delivered")}
	case c.Marked == change.Absent && c.Delivered == nil && q.i < len(c.Standings):
		if o := outcomeOf(c.Standings[q.i].Newest); o == Deny {
			return []Finding{unmet(CodeFresh, Deny, "a newer commit than "+short(c.Proof.Commit)+" is proven, and nothing was delivered yet")}
		} else if o == Allow {
			return nil
		}
	}
	return cannot
}

// nearer reports whether a candidate is a better explanation than another: the one that the object
// names, then one whose content fits, then the fewest misses, then the newest.
func (q *question) nearer(a *Candidate, missesA []Finding, b *Candidate, missesB []Finding) bool {
	claimed := q.f.Origin.Commit
	if x, y := a.Proof.Commit == claimed, b.Proof.Commit == claimed; x != y {
		return x
	}
	if x, y := a.Fit == FitBound, b.Fit == FitBound; x != y {
		return x
	}
	if len(missesA) != len(missesB) {
		return len(missesA) < len(missesB)
	}
	return a.Proof.Height > b.Proof.Height
}

func fields(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return ": " + quoted(paths)
}

// quoted writes foreign texts out, at most nameLimit of them.
func quoted(texts []string) string {
	parts := make([]string, len(texts))
	for i, t := range texts {
		parts[i] = Quote(t)
	}
	return join(parts)
}

// Line is a finding as a judgement keeps it: "[FW103] needs approval: detail (bob, carol)".
func (f Finding) Line() string {
	s := "[" + string(f.Code) + "] " + f.Reason + ": " + f.Detail
	if len(f.Who) > 0 {
		s += " (" + list(f.Who) + ")"
	}
	return defuse(s)
}

// parseLine reads what Line or a prover of another version wrote. What it does not know it shows
// quoted, under CodeAdmissible.
func parseLine(line string, o Outcome) Finding {
	code, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "] ")
	e := Lookup(Code(code))
	if !ok || e.Code != Code(code) || !strings.HasPrefix(line, "[") {
		return unmet(CodeAdmissible, o, Quote(line))
	}
	_, detail, ok := strings.Cut(rest, ": ")
	if !ok {
		detail = rest
	}
	return unmet(e.Code, o, clean(detail))
}

// clean makes a text that Fairway wrote itself, and that was stored where others may have had it
// in hand, fit for a message: one line, printable, cut.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if v := visible(r); v == ' ' {
			return ' '
		}
		return r
	}, s)
	return defuse(cut(strings.Join(strings.Fields(s), " "), detailLimit))
}

// detailLimit is how long one finding's detail may be.
const detailLimit = 400

// sources are the names of a binding's sources.
func sources(b tier.Binding) []string {
	names := make([]string, len(b.Sources))
	for i, s := range b.Sources {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}
