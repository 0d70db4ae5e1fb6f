package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/internal/tier"
)

// tiered is a world with a namespace in each sort of tier.
func tiered() *tier.World {
	w := &tier.World{
		Install: tier.Install{Sealed: true, Namespace: "fairway-system", DefaultTier: "production"},
		Tiers: map[string]tier.Tier{
			"production": {Name: "production", Lane: tier.Gated, Enforcement: tier.Enforce},
			"trial":      {Name: "trial", Lane: tier.Gated, Enforcement: tier.Audit},
			"warned":     {Name: "warned", Lane: tier.Gated, Enforcement: tier.Warn},
			"sandbox":    {Name: "sandbox", Lane: tier.Open},
		},
		Namespaces: map[string]tier.Namespace{}, Bindings: map[string]tier.Binding{},
	}
	for ns, t := range map[string]string{
		"shop": "production", "pilot": "trial", "soon": "warned", "play": "sandbox", "toys": "sandbox", "kube-system": "sandbox", "lost": "gone", "free": "",
	} {
		w.Namespaces[ns] = tier.Namespace{Name: ns}
		if t != "" {
			w.Bindings[ns] = tier.Binding{Namespace: ns, Name: "tier", Tier: t}
		}
	}
	return w
}

var testHooks = Hooks{Name: "fairway", Service: "fairway-gate", Namespace: "fairway-system", System: []string{"fairway-system", "kube-system"}}

// TestConfigureLeavesOutWhatIsOpen and nothing else: what is unknown, or in a tier that does not exist,
// is judged.
func TestConfigureLeavesOutWhatIsOpen(t *testing.T) {
	c := Configure(tiered(), testHooks, []byte("ca"))
	type shape struct {
		Fail    admissionv1.FailurePolicyType
		Seconds int32
		Op      metav1.LabelSelectorOperator
		Names   []string
	}
	got := map[string]shape{}
	for _, h := range c.Webhooks {
		s := shape{Fail: *h.FailurePolicy, Seconds: *h.TimeoutSeconds}
		for _, e := range h.NamespaceSelector.MatchExpressions {
			s.Op, s.Names = e.Operator, e.Values
		}
		got[h.Name] = s
		if string(h.ClientConfig.CABundle) != "ca" || h.ClientConfig.Service.Name != "fairway-gate" || *h.MatchPolicy != admissionv1.Equivalent {
			t.Errorf("%s calls %+v", h.Name, h.ClientConfig)
		}
	}
	want := map[string]shape{
		hookStrict:     {Fail: "Fail", Seconds: 5, Op: "NotIn", Names: []string{"fairway-system", "kube-system", "pilot", "soon", "play", "toys"}},
		hookLenient:    {Fail: "Ignore", Seconds: 2, Op: "In", Names: []string{"pilot", "soon"}},
		hookNamespaces: {Fail: "Fail", Seconds: 5},
		hookSelf:       {Fail: "Fail", Seconds: 5},
		hookCluster:    {Fail: "Fail", Seconds: 5},
		hookEngines:    {Fail: "Ignore", Seconds: 2, Op: "In", Names: []string{"play", "toys"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestT15OpenNamespacesAreAskedForEngines: of everything by which an engine of ours is told what to deliver.
func TestT15OpenNamespacesAreAskedForEngines(t *testing.T) {
	for _, h := range Configure(tiered(), testHooks, nil).Webhooks {
		if h.Name != hookEngines {
			continue
		}
		want := []string{"argoproj.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"}
		if got := slices.Sorted(slices.Values(h.Rules[0].APIGroups)); !slices.Equal(want, got) || len(h.Rules) != 1 {
			t.Errorf("asked about %v, want %v", got, want)
		}
	}
}

// TestT18SystemNamespacesAreAskedForEngines: an engine brings there what somebody pushed, and a gate is asked
// about it and about nothing that anybody else does, so that the cluster can start without a gate.
func TestT18SystemNamespacesAreAskedForEngines(t *testing.T) {
	named := func(c *admissionv1.ValidatingWebhookConfiguration) *admissionv1.ValidatingWebhook {
		i := slices.IndexFunc(c.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == hookSystem })
		if i < 0 {
			return nil
		}
		return &c.Webhooks[i]
	}
	w := tiered()
	if h := named(Configure(w, testHooks, nil)); h != nil {
		t.Errorf("without an engine %s is there for nobody", h.Name)
	}
	w.Install.Engines = []string{"system:serviceaccount:flux-system:helm-controller", "a\"\n"}
	h := named(Configure(w, testHooks, nil))
	if h == nil {
		t.Fatal("no gate is asked")
	}
	condition := h.MatchConditions[len(h.MatchConditions)-1].Expression
	want := `has(request.userInfo.username) && request.userInfo.username in ["a\"\n", "system:serviceaccount:flux-system:helm-controller"]`
	if condition != want || *h.FailurePolicy != admissionv1.Fail || !slices.Equal(h.NamespaceSelector.MatchExpressions[0].Values, testHooks.System) ||
		h.NamespaceSelector.MatchExpressions[0].Operator != metav1.LabelSelectorOpIn {
		t.Errorf("asked under %s of %v, on failure %s", condition, h.NamespaceSelector.MatchExpressions, *h.FailurePolicy)
	}
	if all := Configure(w, testHooks, nil).Webhooks; len(all[0].MatchConditions) != len(h.MatchConditions)-1 {
		t.Errorf("%s has %d conditions of its own", all[0].Name, len(all[0].MatchConditions))
	}
}

// TestConfigureWithoutLenient: an entry that selects no namespace would select all of them.
func TestConfigureWithoutLenient(t *testing.T) {
	w := tiered()
	delete(w.Namespaces, "pilot")
	delete(w.Namespaces, "soon")
	hooks := testHooks
	hooks.URL = "https://10.0.0.1/validate"
	for _, h := range Configure(w, hooks, nil).Webhooks {
		if h.Name == hookLenient {
			t.Errorf("%s is there for nobody", h.Name)
		}
		if h.ClientConfig.Service != nil || *h.ClientConfig.URL != hooks.URL {
			t.Errorf("%s calls %+v", h.Name, h.ClientConfig)
		}
	}
}

// watchman is a Guard over an API server in memory that counts generations as a real one does.
type watchman struct {
	*Guard
	api      client.Client
	world    *tier.World
	tampered []string
	paused   bool
	answers  error
}

func newWatchman(t *testing.T) *watchman {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{admissionv1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	m := &watchman{world: tiered()}
	m.api = fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			o.SetGeneration(1)
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			o.SetGeneration(o.GetGeneration() + 1)
			return c.Update(ctx, o, opts...)
		},
	}).Build()
	m.Guard = &Guard{
		Client: m.api, Hooks: testHooks, World: func() *tier.World { return m.world }, Now: func() time.Time { return time.Unix(1e9, 0) },
		Bundle:  func() ([]byte, error) { return []byte("ca"), nil },
		Answers: func(context.Context, admissionv1.WebhookClientConfig) error { return m.answers },
		Tampered: func(what string, entries []string) {
			m.tampered = append(m.tampered, strings.Join(append([]string{what}, entries...), " "))
		},
		Paused: func(is bool) { m.paused = is },
	}
	return m
}

func (m *watchman) reconcile(t *testing.T) {
	t.Helper()
	if err := m.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (m *watchman) live(t *testing.T) *admissionv1.ValidatingWebhookConfiguration {
	t.Helper()
	var c admissionv1.ValidatingWebhookConfiguration
	if err := m.api.Get(t.Context(), client.ObjectKey{Name: "fairway"}, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// TestT06TheGuardRestores what was changed and what was removed, and follows the world without an alarm.
func TestT06TheGuardRestores(t *testing.T) {
	m := newWatchman(t)
	m.answers = errors.New("no gate")
	if err := m.Reconcile(t.Context()); !errors.Is(err, m.answers) {
		t.Errorf("without a gate: %v", err)
	}
	if err := m.api.Get(t.Context(), client.ObjectKey{Name: "fairway"}, &admissionv1.ValidatingWebhookConfiguration{}); !apierrors.IsNotFound(err) {
		t.Errorf("a configuration without a gate behind it: %v", err)
	}
	m.answers = nil
	m.reconcile(t)
	m.world = tiered()
	delete(m.world.Namespaces, "toys")
	m.reconcile(t)
	m.reconcile(t)
	if names := m.live(t).Webhooks[0].NamespaceSelector.MatchExpressions[0].Values; slices.Contains(names, "toys") {
		t.Errorf("the open namespaces are still %q", names)
	}
	if len(m.tampered) > 0 {
		t.Errorf("its own changes alarm it: %q", m.tampered)
	}
	for name, edit := range map[string]func(*admissionv1.ValidatingWebhookConfiguration){
		"fail open": func(c *admissionv1.ValidatingWebhookConfiguration) { *c.Webhooks[0].FailurePolicy = admissionv1.Ignore },
		"another authority": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].ClientConfig.CABundle = []byte("theirs")
		},
		"an exemption": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].NamespaceSelector.MatchExpressions[0].Values = append(c.Webhooks[0].NamespaceSelector.MatchExpressions[0].Values, "shop")
		},
		"a condition": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].MatchConditions = append(c.Webhooks[0].MatchConditions, admissionv1.MatchCondition{Name: "never", Expression: "false"})
		},
		"no entries": func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks = nil },
	} {
		before, live := len(m.tampered), m.live(t)
		edit(live)
		if err := m.api.Update(t.Context(), live); err != nil {
			t.Fatal(err)
		}
		m.reconcile(t)
		want := Configure(m.world, testHooks, []byte("ca")).Webhooks
		if diff := cmp.Diff(want, m.live(t).Webhooks); diff != "" || len(m.tampered) != before+1 {
			t.Errorf("%s: %d alarms (-want +got):\n%s", name, len(m.tampered)-before, diff)
		} else if names := strings.Fields(m.tampered[before])[1:]; !slices.Contains(names, hookStrict) || name != "no entries" && len(names) != 1 {
			t.Errorf("%s: the alarm names %q", name, names)
		}
	}
	if err := m.api.Delete(t.Context(), m.live(t)); err != nil {
		t.Fatal(err)
	}
	m.reconcile(t)
	if last := m.tampered[len(m.tampered)-1]; last != "removed" || m.live(t) == nil {
		t.Errorf("the last alarm is %q", last)
	}
}

// TestAnotherKeepsTheBundle: what an injector wrote stays, also for an entry that is new.
func TestAnotherKeepsTheBundle(t *testing.T) {
	m := newWatchman(t)
	m.Bundle = nil
	delete(m.world.Namespaces, "pilot")
	delete(m.world.Namespaces, "soon")
	m.reconcile(t)
	live := m.live(t)
	for i := range live.Webhooks {
		live.Webhooks[i].ClientConfig.CABundle = []byte("injected")
	}
	if err := m.api.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	m.world = tiered()
	m.reconcile(t)
	m.reconcile(t)
	for _, h := range m.live(t).Webhooks {
		if string(h.ClientConfig.CABundle) != "injected" {
			t.Errorf("%s trusts %q", h.Name, h.ClientConfig.CABundle)
		}
	}
}

// TestAnEmergencyIsLeftAloneAndEnds by itself.
func TestAnEmergencyIsLeftAloneAndEnds(t *testing.T) {
	m := newWatchman(t)
	m.reconcile(t)
	renewed, seconds := metav1.NewMicroTime(time.Unix(1e9-60, 0)), int32(3600)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: EmergencyLease},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &renewed, LeaseDurationSeconds: &seconds},
	}
	if err := m.api.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		age     time.Duration
		seconds int32
		valid   bool
	}{
		"now":            {time.Minute, 3600, true},
		"over":           {time.Hour, 3600, false},
		"for ever":       {EmergencyLimit, 1 << 30, false},
		"in advance":     {-time.Hour, 3600, false},
		"a clock behind": {-30 * time.Second, 3600, true},
	} {
		at := metav1.NewMicroTime(time.Unix(1e9, 0).Add(-test.age))
		lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &at, &test.seconds
		if err := m.api.Update(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
		live := m.live(t)
		live.Webhooks = nil
		if err := m.api.Update(t.Context(), live); err != nil {
			t.Fatal(err)
		}
		m.reconcile(t)
		if restored := len(m.live(t).Webhooks) > 0; restored == test.valid || m.paused != test.valid {
			t.Errorf("%s: restored is %t and paused is %t", name, restored, m.paused)
		}
	}
}

// TestRuling27ARetirementIsOfOneInstall: the prover that is told leaves the configuration alone, and so does one
// that does not know whether it is. The prover of the next install, whose account is another, makes it at once.
// An emergency that takes over the Lease is everybody's.
func TestRuling27ARetirementIsOfOneInstall(t *testing.T) {
	renewed, seconds := metav1.NewMicroTime(time.Unix(1e9-10, 0)), int32(60)
	for name, test := range map[string]struct {
		holder, account string
		left            bool
	}{
		"its own install":         {Retiring("uid-1"), "uid-1", true},
		"an install before it":    {Retiring("uid-1"), "uid-2", false},
		"no account of its own":   {Retiring("uid-1"), "", true},
		"nobody says which":       {Retiring(""), "uid-2", true},
		"an emergency":            {"sara: INC-7", "uid-2", true},
		"an emergency, so called": {"fairway-retired-by-hand", "uid-2", true},
	} {
		m := newWatchman(t)
		m.Account = test.account
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: EmergencyLease},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &test.holder, RenewTime: &renewed, LeaseDurationSeconds: &seconds},
		}
		if err := m.api.Create(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
		m.reconcile(t)
		err := m.api.Get(t.Context(), client.ObjectKey{Name: "fairway"}, &admissionv1.ValidatingWebhookConfiguration{})
		if made := err == nil; made == test.left || m.paused != test.left {
			t.Errorf("%s: made is %t, paused is %t", name, made, m.paused)
		}
	}
}
