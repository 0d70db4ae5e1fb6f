package main

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/tier"
)

// How long what a signature came to is believed, at most: one that is good until some key begins, ends or is
// revoked, if that is sooner. One that is not may have been made by a clock that is ahead.
const (
	goodFor = time.Hour
	badFor  = time.Minute
)

// glassBook verifies the statements of break-glasses, and none of them again that cannot have changed. It may be
// used by several goroutines.
type glassBook struct {
	mu      sync.Mutex
	people  string // digest of those that keyring is of
	keyring *signature.Keyring
	read    map[types.UID]glassRead
	// verified counts the break-glasses whose signatures were verified.
	verified int
}

// glassRead is what the signatures of a stored break-glass came to.
type glassRead struct {
	generation int64
	until      time.Time
	statements glassStatements
}

// glassStatements are the signed statements in a break-glass.
type glassStatements struct {
	request   attest.Signed[attest.BreakGlassRequest]
	unread    *attest.Refusal // why request is none
	approvals []attest.Signed[attest.BreakGlassApproval]
	refusals  []attest.Refusal // of the approvals
}

// of are the statements of a break-glass, verified against the people in force. They count as first seen now: they
// are short-lived, and a key that has expired since must not open anything. What has no UID is not stored.
func (k *glassBook) of(b *v1alpha1.BreakGlass, people tier.People, now time.Time) glassStatements {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keyring == nil || k.people != people.Digest {
		k.keyring, _ = signature.NewKeyring(people)
		k.people, k.read = people.Digest, map[types.UID]glassRead{}
	}
	known, ok := k.read[b.UID]
	if ok && b.UID != "" && known.generation == b.Generation && now.Before(known.until) {
		return known.statements
	}
	k.verified++
	s := readStatements(b, k.keyring, now)
	if b.UID != "" {
		k.read[b.UID] = glassRead{generation: b.Generation, until: s.until(people, now), statements: s}
	}
	return s
}

// keep forgets all but these.
func (k *glassBook) keep(all []v1alpha1.BreakGlass) {
	alive := map[types.UID]bool{}
	for i := range all {
		alive[all[i].UID] = all[i].Status.ClosedAt == nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for uid := range k.read {
		if !alive[uid] {
			delete(k.read, uid)
		}
	}
}

func readStatements(b *v1alpha1.BreakGlass, keyring *signature.Keyring, now time.Time) (s glassStatements) {
	s.request, s.unread = attest.VerifyBreakGlassRequest([]byte(b.Spec.Request), now, keyring)
	if s.unread == nil && !sameRequest(*b, s.request.Statement()) {
		s.unread = &attest.Refusal{Reason: attest.Invalid, Detail: "the fields of the object are not what was signed"}
	}
	if s.unread != nil {
		return s
	}
	for _, envelope := range b.Spec.Approvals {
		approval, no := attest.VerifyBreakGlassApproval([]byte(envelope), now, keyring)
		if no != nil {
			s.refusals = append(s.refusals, *no)
			continue
		}
		s.approvals = append(s.approvals, approval)
	}
	return s
}

// until is how long statements are believed that were verified now.
func (s glassStatements) until(people tier.People, now time.Time) time.Time {
	if s.unread != nil || len(s.refusals) > 0 {
		return now.Add(badFor)
	}
	until := now.Add(goodFor)
	for _, name := range people.Names() {
		p, _ := people.Get(name)
		for _, key := range p.Keys {
			for _, at := range []time.Time{key.NotBefore, key.NotAfter, key.RevokedAt} {
				if at.After(now) && at.Before(until) {
					until = at
				}
			}
		}
	}
	return until
}

// weighed is what statements amount to in a world.
type weighed struct {
	grant policy.Grant // where nothing is wrong
	open  policy.OpenGlass
	// bad says why the request opens nothing whoever agrees to it, lacks what its approvals lack.
	bad, lacks []attest.Refusal
}

// weigh is cheap, and done anew whenever the world is another.
func (s glassStatements) weigh(b *v1alpha1.BreakGlass, world *tier.World) weighed {
	if s.unread != nil {
		return weighed{bad: []attest.Refusal{*s.unread}}
	}
	t, _ := world.Tier(b.Namespace)
	if b.Namespace == world.Install.Namespace && world.Cluster != nil {
		t, _ = world.ClusterTier()
	}
	g, wrong := attest.BreakGlass(s.request, s.approvals, attest.Emergency{
		Namespace: b.Namespace, NamespaceUID: world.Namespaces[b.Namespace].UID, Rule: t.BreakGlass, People: world.People,
	})
	said := s.request.Statement()
	w := weighed{open: policy.OpenGlass{
		Namespace: b.Namespace, Name: b.Name, Requester: s.request.Principal(), Request: s.request.Digest(), Approved: len(wrong) == 0,
		From: said.NotBefore, Until: said.NotAfter, Created: b.CreationTimestamp.Time, Used: b.Status.Uses > 0,
	}}
	for _, no := range wrong {
		if no.Reason == attest.TooFewPeople {
			w.lacks = append(slices.Clone(s.refusals), no)
			continue
		}
		w.bad = append(w.bad, no)
	}
	if w.open.Approved {
		w.open.Until = g.NotAfter
		w.grant = policy.Grant{
			Name: b.Name, Verified: change.Present, NamespaceUID: g.NamespaceUID, User: g.User, Requester: g.Requester,
			Approvers: g.Approvers, From: g.NotBefore, Until: g.NotAfter, Spent: change.FoundIf(b.Status.ClosedAt != nil),
		}
	}
	return w
}

// glass is the same for people.
func (w weighed) glass() controller.Glass {
	out := controller.Glass{Requester: w.open.Requester, Approvers: w.grant.Approvers, Waits: len(w.bad) == 0 && len(w.lacks) == 1}
	for _, no := range slices.Concat(w.bad, w.lacks) {
		out.Refusals = append(out.Refusals, no.String())
	}
	return out
}

// glassVerdicts are all break-glasses that are stored, and what each amounts to.
type glassVerdicts struct {
	grants map[string][]policy.Grant // by namespace
	stored []policy.OpenGlass
	// open is what those amount to that are not closed.
	open map[[2]string]controller.Glass
}

// judge weighs every break-glass that is not closed, and grants what people agreed to; of every requester so many as
// policy.Beyond leaves.
func (k *glassBook) judge(all []v1alpha1.BreakGlass, world *tier.World, now time.Time) glassVerdicts {
	j := glassVerdicts{grants: map[string][]policy.Grant{}, open: map[[2]string]controller.Glass{}}
	var granted []policy.Grant
	var where [][2]string
	for i := range all {
		b := &all[i]
		at := [2]string{b.Namespace, b.Name}
		if b.Status.ClosedAt != nil {
			j.stored = append(j.stored, policy.OpenGlass{
				Namespace: b.Namespace, Name: b.Name, Requester: b.Status.Requester, Until: b.Spec.NotAfter.Time, Over: true, Used: b.Status.Uses > 0,
			})
			continue
		}
		w := k.of(b, world.People, now).weigh(b, world)
		if len(w.bad) == 0 {
			w.open.Over = !now.Before(w.open.Until)
			j.stored = append(j.stored, w.open)
		}
		if w.open.Approved {
			granted, where = append(granted, w.grant), append(where, at)
		}
		j.open[at] = w.glass()
	}
	k.keep(all)
	beyond := policy.Beyond(j.stored)
	for at, why := range beyond {
		glass := j.open[at]
		glass.Beyond = why
		j.open[at] = glass
	}
	for i, g := range granted {
		if beyond[where[i]] == "" {
			j.grants[where[i][0]] = append(j.grants[where[i][0]], g)
		}
	}
	return j
}

// judgeGlasses puts what is granted in force together with the world, and notes for people what became of each.
func (in *install) judgeGlasses(all []v1alpha1.BreakGlass, world *tier.World) {
	j := in.glass.judge(all, world, time.Now())
	in.state.Set(world, j.grants, j.stored)
	in.observer.brokenGlass(len(all), j)
	hear(in, func(h hooks) func(map[[2]string]controller.Glass) { return h.glasses }, func(f func(map[[2]string]controller.Glass)) { f(j.open) })
}

// brokenGlass shows how many break-glasses are stored, and what they amount to.
func (o *observer) brokenGlass(stored int, j glassVerdicts) {
	n := map[string]int{"closed": stored - len(j.open), "granted": 0, "waiting": 0, "refused": 0, "beyond": 0}
	for _, g := range j.open {
		switch {
		case g.Beyond != "":
			n["beyond"]++
		case g.Waits:
			n["waiting"]++
		case len(g.Refusals) > 0:
			n["refused"]++
		default:
			n["granted"]++
		}
	}
	for state, count := range n {
		o.glass.WithLabelValues(state).Set(float64(count))
	}
}
