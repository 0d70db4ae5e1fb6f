package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
)

// shopSource is the source of the story's production.
var shopSource = change.SourceKey{Repository: "apps", Branch: "main", Path: "shop/production", Namespace: "shop"}

// marksOf are the Deliveries of a process of its own on an API server in memory.
func marksOf(c client.Client) *store.Deliveries {
	return store.NewDeliveries(c, func(change.SourceKey, string) bool { return true })
}

func deliveriesAPI(t *testing.T) client.Client {
	t.Helper()
	scheme, err := knownKinds()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Delivery{}).Build()
}

// sees has a process see the Deliveries as they are.
func sees(t *testing.T, c client.Client, d *store.Deliveries) {
	t.Helper()
	var list v1alpha1.DeliveryList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		d.Observe(&list.Items[i])
	}
}

// TestRuling26AGateAsksTheProver: a commit without a proof is waited for until a look has ended that
// began after the question, and no longer.
func TestRuling26AGateAsksTheProver(t *testing.T) {
	l := newLab(t)
	api := deliveriesAPI(t)
	mine, provers := marksOf(api), marksOf(api)
	now := time.Unix(1e9, 0)
	w := &wishes{
		world: l.in.directory.state.World, deliveries: mine, now: func() time.Time { return now },
		bell: controller.NewBell(0, 0), repos: map[string]map[string]*wish{},
	}
	ask := func() {
		t.Helper()
		if err := w.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		sees(t, api, mine)
		sees(t, api, provers)
	}
	wanted := func(commit string, want bool) {
		t.Helper()
		if got := w.Wanted("apps", commit); got != want {
			t.Errorf("%s may be in the making: %t, want %t", commit, got, want)
		}
	}
	if w.Wanted("elsewhere", "a") {
		t.Error("nobody proves what is in no repository")
	}
	wanted("a", true)
	ask()
	wanted("a", true)
	if asked, looked := provers.Asked(shopSource); asked != 1 || looked != 0 {
		t.Fatalf("the prover sees %d asked and %d answered", asked, looked)
	}
	// The look that answers the first question began before the second.
	wanted("b", true)
	ask()
	if err := provers.Answer(t.Context(), shopSource, 1, nil); err != nil {
		t.Fatal(err)
	}
	sees(t, api, mine)
	wanted("a", false)
	wanted("b", true)
	if err := provers.Answer(t.Context(), shopSource, 2, nil); err != nil {
		t.Fatal(err)
	}
	sees(t, api, mine)
	wanted("b", false)
	// A prover that is away does not make anybody wait for ever.
	wanted("c", true)
	ask()
	now = now.Add(wishPatience)
	wanted("c", false)
}

// TestGatesRememberAFewWishes: a flood of invented commits costs one question and bounded memory.
func TestGatesRememberAFewWishes(t *testing.T) {
	l := newLab(t)
	api := deliveriesAPI(t)
	w := &wishes{
		world: l.in.directory.state.World, deliveries: marksOf(api), now: time.Now,
		bell: controller.NewBell(0, 0), repos: map[string]map[string]*wish{},
	}
	for i := range 3 * wishLimit {
		w.Wanted("apps", strings.Repeat("a", 1+i))
	}
	if n := len(w.repos["apps"]); n > wishLimit {
		t.Errorf("it remembers %d", n)
	}
	if err := w.ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked, _ := w.deliveries.Asked(shopSource); asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

// TestAWayBackCountsForItsSignature, whoever put it where the gate reads it.
func TestAWayBackCountsForItsSignature(t *testing.T) {
	l := newLab(t)
	now := time.Now()
	to := attest.Return{
		Namespace: "shop", NamespaceUID: "uid", Commit: strings.Repeat("c", 40), Proof: "shop-1",
		Source: attest.Source{Repository: l.shop.Repo.URL(), Branch: "main", Path: "shop/production"},
	}
	says := func(who string, edit func(*attest.Rollback)) string {
		t.Helper()
		said := attest.Rollback{
			Namespace: to.Namespace, NamespaceUID: to.NamespaceUID, Source: to.Source, TargetCommit: to.Commit, Proof: to.Proof,
			Reason: "it broke", SaidAt: now, Expires: now.Add(time.Hour),
		}
		if edit != nil {
			edit(&said)
		}
		signer, err := signature.LoadSigner(l.shop.Key(who), nil)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := attest.SignRollback(said, signer)
		if err != nil {
			t.Fatal(err)
		}
		return string(envelope)
	}
	good := says("paula", nil)
	for name, test := range map[string]struct {
		envelopes []string
		want      []string
	}{
		"signed":            {[]string{good}, []string{"paula"}},
		"by two":            {[]string{good, says("sam", nil), good}, []string{"paula", "sam"}},
		"nothing":           {nil, nil},
		"no statement":      {[]string{"{}"}, nil},
		"changed":           {[]string{strings.Replace(good, `"payload":"`, `"payload":"A`, 1)}, nil},
		"another commit":    {[]string{says("paula", func(r *attest.Rollback) { r.TargetCommit = strings.Repeat("d", 40) })}, nil},
		"another namespace": {[]string{says("paula", func(r *attest.Rollback) { r.NamespaceUID = "other" })}, nil},
		"over":              {[]string{says("paula", func(r *attest.Rollback) { r.SaidAt, r.Expires = now.Add(-2*time.Hour), now.Add(-time.Hour) })}, nil},
	} {
		api := deliveriesAPI(t)
		provers, mine := marksOf(api), marksOf(api)
		if err := provers.Answer(t.Context(), shopSource, 1, test.envelopes); err != nil {
			t.Fatal(err)
		}
		sees(t, api, mine)
		w := &ways{world: l.in.directory.state.World, deliveries: mine, now: func() time.Time { return now }}
		for range 2 { // the second time from memory
			got := w.signed(shopSource, to.NamespaceUID, to.Source.Repository, to.Commit, to.Proof)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// TestT56AGateHoldsNothingThatSigns: what it reads of the keys verifies proofs and makes none.
func TestT56AGateHoldsNothingThatSigns(t *testing.T) {
	api := apiWith(t)
	made, _, err := loadKeys(t.Context(), api, "fairway-system")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readGateKeys(t.Context(), api, "fairway-system", ""); err == nil {
		t.Error("there were keys before they were published")
	}
	for range 2 {
		if err := publishKeys(t.Context(), api, "fairway-system", made); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readGateKeys(t.Context(), api, "fairway-system", made.prover.ID())
	if err != nil {
		t.Fatal(err)
	}
	id, sig := made.prover.Sign([]byte("x"))
	if !got.Verify(id, []byte("x"), sig) || got.Verify(id, []byte("y"), sig) {
		t.Error("it does not tell the prover's signatures")
	}
	if id, _ := got.prover.Sign([]byte("x")); id != "" {
		t.Error("it signs")
	}
	var secret corev1.Secret
	at := client.ObjectKey{Namespace: "fairway-system", Name: gateKeysName}
	if err := api.Get(t.Context(), at, &secret); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for part := range secret.Data {
		parts = append(parts, part)
	}
	if slices.Sort(parts); !slices.Equal(parts, []string{digestPart, publicPart}) {
		t.Errorf("the Secret holds %q", parts)
	}
	// Another's key is not the one that was pinned; and what is not that of the keys is made again.
	forger, err := attest.NewProverKey(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	if err := publishKeys(t.Context(), api, "fairway-system", keys{prover: forger, public: forger.Public(), secret: made.secret}); err != nil {
		t.Fatal(err)
	}
	if _, err := readGateKeys(t.Context(), api, "fairway-system", made.prover.ID()); !errors.Is(err, errOtherKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := publishKeys(t.Context(), api, "fairway-system", made); err != nil {
		t.Fatal(err)
	}
	if _, err := readGateKeys(t.Context(), api, "fairway-system", made.prover.ID()); err != nil {
		t.Error(err)
	}
}

// zeros is no randomness at all.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestT48TheSelfTestTellsGoodFromBad, on a real judge and on ones that do not.
func TestT48TheSelfTestTellsGoodFromBad(t *testing.T) {
	if err := selfTest(newLab(t).in.gate); err != nil {
		t.Error(err)
	}
	if selfTest(&lateGate{}) == nil {
		t.Error("a gate that is not there passed")
	}
}
