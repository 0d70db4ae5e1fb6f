package attest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/tier"
)

func aRequest() attest.BreakGlassRequest {
	return attest.BreakGlassRequest{
		ClusterID: "cluster-1", Namespace: "shop", NamespaceUID: "uid-1", User: "alice@example.com", Reason: "the shop is down",
		Ticket: "INC-1", NotBefore: minute(0), NotAfter: minute(60), SaidAt: minute(1), Nonce: "NONCE-0123456789abcdef",
	}
}

func (w town) request(t testing.TB, by string, r attest.BreakGlassRequest) (attest.Signed[attest.BreakGlassRequest], []byte) {
	t.Helper()
	envelope, err := attest.SignBreakGlassRequest(r, w.signers[by])
	if err != nil {
		t.Fatal(err)
	}
	signed, no := attest.VerifyBreakGlassRequest(envelope, minute(1), w.keyring)
	if no != nil {
		t.Fatal(no)
	}
	return signed, envelope
}

func (w town) consent(t testing.TB, by string, to attest.Signed[attest.BreakGlassRequest], until time.Time) attest.Signed[attest.BreakGlassApproval] {
	t.Helper()
	envelope, err := attest.SignBreakGlassApproval(to, until, minute(2), w.signers[by])
	if err != nil {
		t.Fatal(err)
	}
	signed, no := attest.VerifyBreakGlassApproval(envelope, minute(2), w.keyring)
	if no != nil {
		t.Fatal(no)
	}
	return signed
}

func (w town) emergency() attest.Emergency {
	return attest.Emergency{
		ClusterID: "cluster-1", Namespace: "shop", NamespaceUID: "uid-1", People: w.people,
		Rule: tier.BreakGlassRule{MaxDuration: time.Hour, Approvals: 1},
	}
}

// TestRuling24TwoPeople: who must have signed what, and for where.
func TestRuling24TwoPeople(t *testing.T) {
	w := newTown(t)
	other := func() attest.Signed[attest.BreakGlassRequest] {
		r := aRequest()
		r.Nonce = "another-NONCE-0123456789"
		s, _ := w.request(t, "alice", r)
		return s
	}()
	type story struct {
		by      string
		request func(r *attest.BreakGlassRequest)
		consent []string // "bob", or "bob!" for an approval of another request
		place   func(e *attest.Emergency)
	}
	for name, c := range map[string]struct {
		story
		want []attest.Reason
	}{
		"two people":             {story{by: "alice", consent: []string{"bob"}}, nil},
		"three people":           {story{by: "alice", consent: []string{"bob", "carol"}}, nil},
		"alone":                  {story{by: "alice"}, []attest.Reason{attest.TooFewPeople}},
		"self approval":          {story{by: "alice", consent: []string{"alice"}}, []attest.Reason{attest.TooFewPeople}},
		"own second key":         {story{by: "alice", consent: []string{"alice/2"}}, []attest.Reason{attest.TooFewPeople}},
		"robot approves":         {story{by: "alice", consent: []string{"robot"}}, []attest.Reason{attest.TooFewPeople}},
		"robot asks":             {story{by: "robot", consent: []string{"bob"}}, []attest.Reason{attest.WrongSigner}},
		"one of two needed":      {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.Rule.Approvals = 2 }}, []attest.Reason{attest.TooFewPeople}},
		"two keys of one, of 2":  {story{by: "alice", consent: []string{"bob", "bob/2"}, place: func(e *attest.Emergency) { e.Rule.Approvals = 2 }}, []attest.Reason{attest.TooFewPeople}},
		"two of two needed":      {story{by: "alice", consent: []string{"bob", "carol"}, place: func(e *attest.Emergency) { e.Rule.Approvals = 2 }}, nil},
		"rule asks for none":     {story{by: "alice", place: func(e *attest.Emergency) { e.Rule.Approvals = 0 }}, []attest.Reason{attest.TooFewPeople}},
		"of another request":     {story{by: "alice", consent: []string{"bob!"}}, []attest.Reason{attest.TooFewPeople}},
		"no break-glass here":    {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.Rule.MaxDuration = 0 }}, []attest.Reason{attest.NotAllowed}},
		"another namespace":      {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.Namespace = "bank" }}, []attest.Reason{attest.WrongScope}},
		"namespace made anew":    {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.NamespaceUID = "uid-2" }}, []attest.Reason{attest.WrongScope}},
		"unknown namespace":      {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.NamespaceUID = "" }}, []attest.Reason{attest.WrongScope}},
		"another cluster":        {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.ClusterID = "cluster-2" }}, []attest.Reason{attest.WrongScope}},
		"cluster not named":      {story{by: "alice", consent: []string{"bob"}, request: func(r *attest.BreakGlassRequest) { r.ClusterID = "" }}, nil},
		"too long":               {story{by: "alice", consent: []string{"bob"}, request: func(r *attest.BreakGlassRequest) { r.NotAfter = minute(61) }}, []attest.Reason{attest.TooLong}},
		"requester left":         {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.People = w.without("alice") }}, []attest.Reason{attest.WrongSigner}},
		"approver left":          {story{by: "alice", consent: []string{"bob"}, place: func(e *attest.Emergency) { e.People = w.without("bob") }}, []attest.Reason{attest.TooFewPeople}},
		"all that can be wrong":  {story{by: "robot", place: func(e *attest.Emergency) { *e = attest.Emergency{} }}, []attest.Reason{attest.NotAllowed, attest.WrongSigner, attest.WrongScope, attest.WrongScope, attest.TooFewPeople}},
		"nobody's second thanks": {story{by: "alice", consent: []string{"bob", "bob"}, place: func(e *attest.Emergency) { e.Rule.Approvals = 2 }}, []attest.Reason{attest.TooFewPeople}},
	} {
		t.Run(name, func(t *testing.T) {
			r := aRequest()
			if c.request != nil {
				c.request(&r)
			}
			asked, _ := w.request(t, c.by, r)
			var approvals []attest.Signed[attest.BreakGlassApproval]
			for _, by := range c.consent {
				to := asked
				if by == "bob!" {
					by, to = "bob", other
				}
				approvals = append(approvals, w.consent(t, by, to, minute(60)))
			}
			place := w.emergency()
			if c.place != nil {
				c.place(&place)
			}
			grant, refusals := attest.BreakGlass(asked, approvals, place)
			var got []attest.Reason
			for _, no := range refusals {
				got = append(got, no.Reason)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("refusals (-want +got):\n%s", d)
			}
			if covers := grant.Covers(r.User, r.NamespaceUID, minute(5)); covers != (len(c.want) == 0) {
				t.Errorf("covers its user: %v", covers)
			}
		})
	}
}

// without is everybody but one.
func (w town) without(name string) tier.People {
	team := tier.TeamSpec{Name: "shop"}
	for _, n := range w.people.Names() {
		if p, _ := w.people.Get(n); n != name {
			team.Principals = append(team.Principals, p)
		}
	}
	people, _ := tier.NewPeople("digest", []tier.TeamSpec{team})
	return people
}

// TestT54GrantCovers: one user, one namespace, one window; the grant says who asked and approved.
func TestT54GrantCovers(t *testing.T) {
	w := newTown(t)
	asked, _ := w.request(t, "alice", aRequest())
	grant, refusals := attest.BreakGlass(asked, []attest.Signed[attest.BreakGlassApproval]{w.consent(t, "carol", asked, minute(60)), w.consent(t, "bob", asked, minute(30))}, w.emergency())
	if len(refusals) > 0 {
		t.Fatal(refusals)
	}
	user := "alice@example.com"
	for name, c := range map[string]struct {
		user, uid string
		at        time.Time
		want      bool
	}{
		"inside":            {user, "uid-1", minute(10), true},
		"at the start":      {user, "uid-1", minute(0), true},
		"before":            {user, "uid-1", minute(0).Add(-time.Second), false},
		"at the end":        {user, "uid-1", minute(60), false},
		"after":             {user, "uid-1", minute(61), false},
		"another user":      {"bob@example.com", "uid-1", minute(10), false},
		"another namespace": {user, "uid-2", minute(10), false},
		"nobody":            {"", "", time.Time{}, false},
	} {
		if got := grant.Covers(c.user, c.uid, c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (attest.Grant{User: user, NamespaceUID: "uid-1", NotBefore: minute(0), NotAfter: minute(60)}).Covers(user, "uid-1", minute(10)) {
		t.Error("a grant that nobody gave covers")
	}
	if grant.Requester != "alice" || cmp.Diff([]string{"bob", "carol"}, grant.Approvers) != "" || grant.Reason != "the shop is down" ||
		grant.Ticket != "INC-1" || grant.Nonce != aRequest().Nonce || grant.Digest != asked.Digest() || grant.ClusterID != "cluster-1" {
		t.Errorf("the grant says %+v", grant)
	}
}

// TestT54EarlierEnd: each approver may set an earlier end; the grant ends when too few are left, and
// one more approval never shortens it.
func TestT54EarlierEnd(t *testing.T) {
	w := newTown(t)
	asked, _ := w.request(t, "alice", aRequest())
	bob, carol, dave := w.consent(t, "bob", asked, minute(20)), w.consent(t, "carol", asked, minute(40)), w.consent(t, "dave", asked, minute(600))
	later := w.consent(t, "bob/2", asked, minute(50))
	never := w.consent(t, "dave", asked, minute(0))
	for name, c := range map[string]struct {
		need      int
		approvals []attest.Signed[attest.BreakGlassApproval]
		end       int
	}{
		"one":                   {1, []attest.Signed[attest.BreakGlassApproval]{bob}, 20},
		"the later of two":      {1, []attest.Signed[attest.BreakGlassApproval]{bob, carol}, 40},
		"two needed":            {2, []attest.Signed[attest.BreakGlassApproval]{bob, carol}, 20},
		"two needed of three":   {2, []attest.Signed[attest.BreakGlassApproval]{dave, bob, carol}, 40},
		"the request's own end": {1, []attest.Signed[attest.BreakGlassApproval]{dave}, 60},
		"one who said two ends": {1, []attest.Signed[attest.BreakGlassApproval]{bob, later, bob}, 50},
		"over before it began":  {1, []attest.Signed[attest.BreakGlassApproval]{never}, -1},
	} {
		place := w.emergency()
		place.Rule.Approvals = c.need
		grant, refusals := attest.BreakGlass(asked, c.approvals, place)
		if c.end < 0 {
			if len(refusals) != 1 || refusals[0].Reason != attest.TooFewPeople {
				t.Errorf("%s: %v", name, refusals)
			}
			continue
		}
		if len(refusals) > 0 || !grant.NotAfter.Equal(minute(c.end)) {
			t.Errorf("%s: until %v, refusals %v", name, grant.NotAfter, refusals)
		}
	}
}

// TestRuling24Bound: an approval names the request's digest, the namespace's UID and the nonce, and
// each of the three has to fit.
func TestRuling24Bound(t *testing.T) {
	w := newTown(t)
	asked, _ := w.request(t, "alice", aRequest())
	whole := attest.BreakGlassApproval{
		RequestDigest: asked.Digest(), NamespaceUID: "uid-1", Nonce: aRequest().Nonce, NotAfter: minute(60), SaidAt: minute(2),
	}
	for name, c := range map[string]struct {
		change func(a *attest.BreakGlassApproval)
		fits   bool
	}{
		"as it is":       {func(*attest.BreakGlassApproval) {}, true},
		"another digest": {func(a *attest.BreakGlassApproval) { a.RequestDigest = sum("0") }, false},
		"another UID":    {func(a *attest.BreakGlassApproval) { a.NamespaceUID = "uid-2" }, false},
		"another nonce":  {func(a *attest.BreakGlassApproval) { a.Nonce = "another-NONCE-0123456789" }, false},
	} {
		a := whole
		c.change(&a)
		payload := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"breakglass-request","digest":{"sha256":"` + a.RequestDigest +
			`"}}],"predicateType":"` + attest.BreakGlassApprovalKind + `","predicate":` + write(t, a) + `}`
		envelope := write(t, w.forge(t, "bob", attest.BreakGlassNamespace, payloadType, payload))
		signed, no := attest.VerifyBreakGlassApproval([]byte(envelope), minute(2), w.keyring)
		if no != nil {
			t.Fatalf("%s: %s", name, no)
		}
		_, refusals := attest.BreakGlass(asked, []attest.Signed[attest.BreakGlassApproval]{signed}, w.emergency())
		if fits := len(refusals) == 0; fits != c.fits {
			t.Errorf("%s: %v", name, refusals)
		}
	}
}

// TestClaimedRequest: what was read without asking who signed it can be approved, opens nothing by
// itself, and is approved as the very request that the gate verifies.
func TestClaimedRequest(t *testing.T) {
	w := newTown(t)
	asked, envelope := w.request(t, "alice", aRequest())
	claimed, no := attest.ReadBreakGlassRequest(envelope)
	if no != nil {
		t.Fatal(no)
	}
	if d := cmp.Diff(asked.Statement(), claimed.Statement()); d != "" {
		t.Errorf("(-verified +read):\n%s", d)
	}
	consent, err := claimed.Approve(minute(60), minute(2), w.signers["bob"])
	if err != nil {
		t.Fatal(err)
	}
	signed, no := attest.VerifyBreakGlassApproval(consent, minute(2), w.keyring)
	if no != nil {
		t.Fatal(no)
	}
	if _, refusals := attest.BreakGlass(asked, []attest.Signed[attest.BreakGlassApproval]{signed}, w.emergency()); len(refusals) > 0 {
		t.Error(refusals)
	}
	for name, other := range map[string][]byte{"nothing": nil, "an approval": w.approve(t, "alice", anApproval()), "its approval": consent} {
		if _, no := attest.ReadBreakGlassRequest(other); no == nil {
			t.Errorf("%s is read as a request", name)
		}
	}
	if _, err := (attest.ClaimedRequest{}).Approve(minute(60), minute(2), w.signers["bob"]); err == nil {
		t.Error("an approval of nothing was signed")
	}
}

// TestInvalidBreakGlass: what cannot be signed.
func TestInvalidBreakGlass(t *testing.T) {
	w := newTown(t)
	for name, spoil := range map[string]func(r *attest.BreakGlassRequest){
		"no namespace":    func(r *attest.BreakGlassRequest) { r.Namespace = "" },
		"no UID":          func(r *attest.BreakGlassRequest) { r.NamespaceUID = "" },
		"no user":         func(r *attest.BreakGlassRequest) { r.User = "" },
		"no reason":       func(r *attest.BreakGlassRequest) { r.Reason = "" },
		"no window":       func(r *attest.BreakGlassRequest) { r.NotAfter = r.NotBefore },
		"window reversed": func(r *attest.BreakGlassRequest) { r.NotAfter = r.NotBefore.Add(-time.Hour) },
		"no start":        func(r *attest.BreakGlassRequest) { r.NotBefore = time.Time{} },
		"no time":         func(r *attest.BreakGlassRequest) { r.SaidAt = time.Time{} },
		"short nonce":     func(r *attest.BreakGlassRequest) { r.Nonce = "x" },
		"strange ticket":  func(r *attest.BreakGlassRequest) { r.Ticket = "a\nb" },
	} {
		r := aRequest()
		spoil(&r)
		if _, err := attest.SignBreakGlassRequest(r, w.signers["alice"]); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, err := attest.SignBreakGlassApproval(attest.Signed[attest.BreakGlassRequest]{}, minute(60), minute(1), w.signers["bob"]); err == nil {
		t.Error("an approval of nothing was signed")
	}
	if _, refusals := attest.BreakGlass(attest.Signed[attest.BreakGlassRequest]{}, nil, w.emergency()); len(refusals) == 0 {
		t.Error("nothing asked opens something")
	}
}
