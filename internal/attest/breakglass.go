package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/tier"
)

// The predicate types of break-glass.
const (
	BreakGlassRequestKind  = "https://fairway.dev/breakglass-request/v1"
	BreakGlassApprovalKind = "https://fairway.dev/breakglass-approval/v1"
)

// BreakGlassRequest asks that one user may change one namespace without a proof, for a while.
type BreakGlassRequest struct {
	ClusterID    string    `json:"clusterID,omitempty"` // empty: the namespace's UID says it all
	Namespace    string    `json:"namespace"`
	NamespaceUID string    `json:"namespaceUID"`
	User         string    `json:"user"` // Kubernetes user name
	Reason       string    `json:"reason"`
	Ticket       string    `json:"ticket,omitempty"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	SaidAt       time.Time `json:"saidAt"`
	Nonce        string    `json:"nonce"` // made by SignBreakGlassRequest if empty
}

func (BreakGlassRequest) kind() string      { return BreakGlassRequestKind }
func (BreakGlassRequest) namespace() string { return BreakGlassNamespace }
func (r BreakGlassRequest) said() time.Time { return r.SaidAt }

func (r BreakGlassRequest) subjects() []subject {
	sum := sha256.Sum256([]byte(r.NamespaceUID))
	return []subject{{Name: "namespace/" + r.Namespace, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}}
}

func (r BreakGlassRequest) problem() string {
	var f fields
	f.optional("clusterID", r.ClusterID)
	f.text("namespace", r.Namespace)
	f.text("namespaceUID", r.NamespaceUID)
	f.text("user", r.User)
	f.text("reason", r.Reason)
	f.optional("ticket", r.Ticket)
	f.time("notBefore", r.NotBefore)
	f.time("notAfter", r.NotAfter)
	f.time("saidAt", r.SaidAt)
	f.require(r.NotAfter.After(r.NotBefore), "notAfter is not after notBefore")
	f.nonce(r.Nonce)
	return f.problem
}

// BreakGlassApproval lets one request through, until NotAfter at the latest.
type BreakGlassApproval struct {
	RequestDigest string    `json:"requestDigest"` // Signed.Digest of the request
	NamespaceUID  string    `json:"namespaceUID"`
	Nonce         string    `json:"nonce"` // of the request
	NotAfter      time.Time `json:"notAfter"`
	SaidAt        time.Time `json:"saidAt"`
}

func (BreakGlassApproval) kind() string      { return BreakGlassApprovalKind }
func (BreakGlassApproval) namespace() string { return BreakGlassNamespace }
func (a BreakGlassApproval) said() time.Time { return a.SaidAt }

func (a BreakGlassApproval) subjects() []subject {
	return []subject{{Name: "breakglass-request", Digest: map[string]string{"sha256": a.RequestDigest}}}
}

func (a BreakGlassApproval) problem() string {
	var f fields
	f.sha256("requestDigest", a.RequestDigest)
	f.text("namespaceUID", a.NamespaceUID)
	f.nonce(a.Nonce)
	f.time("notAfter", a.NotAfter)
	f.time("saidAt", a.SaidAt)
	return f.problem
}

// SignBreakGlassRequest makes the envelope of a request.
func SignBreakGlassRequest(r BreakGlassRequest, signer Signer) (envelope []byte, err error) {
	r.NotBefore, r.NotAfter, r.SaidAt = whole(r.NotBefore), whole(r.NotAfter), whole(r.SaidAt)
	if r.Nonce == "" {
		r.Nonce = newNonce()
	}
	return seal(r, signer)
}

// SignBreakGlassApproval makes the envelope of an approval of one request that was verified.
func SignBreakGlassApproval(request Signed[BreakGlassRequest], notAfter, saidAt time.Time, signer Signer) (envelope []byte, err error) {
	return ClaimedRequest{statement: request.statement, digest: request.digest}.Approve(notAfter, saidAt, signer)
}

// VerifyBreakGlassRequest reads and verifies a request that was first seen at seenAt.
func VerifyBreakGlassRequest(envelope []byte, seenAt time.Time, v Verifier) (Signed[BreakGlassRequest], *Refusal) {
	return open[BreakGlassRequest](envelope, seenAt, v)
}

// VerifyBreakGlassApproval reads and verifies an approval that was first seen at seenAt.
func VerifyBreakGlassApproval(envelope []byte, seenAt time.Time, v Verifier) (Signed[BreakGlassApproval], *Refusal) {
	return open[BreakGlassApproval](envelope, seenAt, v)
}

// Emergency is where break-glass is wanted and under which rule.
type Emergency struct {
	ClusterID    string
	Namespace    string
	NamespaceUID string
	Rule         tier.BreakGlassRule
	People       tier.People // as they are now
}

// Grant is a break-glass that two people agreed to. Only BreakGlass makes one that covers anything.
type Grant struct {
	ClusterID    string // empty: not named
	Namespace    string
	NamespaceUID string
	User         string
	Reason       string
	Ticket       string
	NotBefore    time.Time
	NotAfter     time.Time
	Requester    string   // principal
	Approvers    []string // principals, sorted
	Nonce        string   // by which one use can be told from another
	Digest       string   // of the request
	granted      bool
}

// Covers reports whether the user may change the namespace with that UID at that time. The window
// is without its end.
func (g Grant) Covers(user, namespaceUID string, at time.Time) bool {
	return g.granted && user == g.User && namespaceUID == g.NamespaceUID && !at.Before(g.NotBefore) && at.Before(g.NotAfter)
}

// BreakGlass tells whether a request and its approvals open one namespace: asked by one person and
// approved by at least one other (ruling 24), for this namespace and cluster, within the rule's
// longest time. Two keys of one person are one person. All that is wrong is told, in a fixed order;
// with any refusal the Grant covers nothing.
//
// The grant ends when the request says, or as soon as too few approvals are left: each approver may
// set an earlier end.
func BreakGlass(request Signed[BreakGlassRequest], approvals []Signed[BreakGlassApproval], e Emergency) (Grant, []Refusal) {
	r := request.statement
	refusals := judgeRequest(request, e)
	ends := consents(request, approvals, e)
	need := max(1, e.Rule.Approvals)
	if len(ends) < need {
		refusals = append(refusals, *refusal(TooFewPeople,
			"%d principals other than the requester approve exactly this request, %d are needed", len(ends), need))
	}
	if len(refusals) > 0 {
		return Grant{}, refusals
	}
	g := Grant{
		ClusterID: r.ClusterID, Namespace: r.Namespace, NamespaceUID: r.NamespaceUID, User: r.User,
		Reason: r.Reason, Ticket: r.Ticket, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		Requester: request.Principal(), Nonce: r.Nonce, Digest: request.digest, granted: true,
	}
	var times []time.Time
	for who, end := range ends {
		g.Approvers, times = append(g.Approvers, who), append(times, end)
	}
	slices.Sort(g.Approvers)
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	if enough := times[need-1]; enough.Before(g.NotAfter) {
		g.NotAfter = enough
	}
	return g, nil
}

func judgeRequest(request Signed[BreakGlassRequest], e Emergency) (refusals []Refusal) {
	r := request.statement
	refuse := func(bad bool, reason Reason, detail string) {
		if bad {
			refusals = append(refusals, Refusal{Reason: reason, Detail: detail})
		}
	}
	refuse(e.Rule.MaxDuration <= 0, NotAllowed, "the tier has no break-glass")
	refuse(!isPerson(request.Principal(), e.People), WrongSigner, "the requester is no person that is known now")
	refuse(e.NamespaceUID == "" || r.NamespaceUID != e.NamespaceUID || r.Namespace != e.Namespace, WrongScope, "the request is for another namespace")
	refuse(r.ClusterID != "" && r.ClusterID != e.ClusterID, WrongScope, "the request is for another cluster")
	refuse(e.Rule.MaxDuration > 0 && r.NotAfter.Sub(r.NotBefore) > e.Rule.MaxDuration, TooLong, "the request is for longer than the tier allows")
	return refusals
}

// consents are the people who approve exactly this request, with the latest end that each sets.
func consents(request Signed[BreakGlassRequest], approvals []Signed[BreakGlassApproval], e Emergency) map[string]time.Time {
	ends := map[string]time.Time{}
	for _, s := range approvals {
		a, who := s.statement, s.Principal()
		same := a.RequestDigest == request.digest && a.NamespaceUID == request.statement.NamespaceUID && a.Nonce == request.statement.Nonce
		if !same || who == request.Principal() || !isPerson(who, e.People) || !a.NotAfter.After(request.statement.NotBefore) {
			continue
		}
		if end, ok := ends[who]; !ok || a.NotAfter.After(end) {
			ends[who] = a.NotAfter
		}
	}
	return ends
}

// isPerson reports whether a principal is known and no robot, whose key its operator holds too.
func isPerson(principal string, people tier.People) bool {
	p, ok := people.Get(principal)
	return ok && principal != "" && !p.Robot
}
