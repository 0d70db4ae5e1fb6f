package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/policy"
)

// TestT54T58Glasses: requests for break-glass are bounded, nobody's flood keeps another's emergency out, and records
// go when they may and not before; with the policies in force, on a real API server.
func TestT54T58Glasses(t *testing.T) {
	l := newServeLabOn(t, controlplane.Options{ControllerManager: true}, func(s *serveLab) {
		root, err := dynamic.NewForConfig(s.cluster.Config)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range manifests(t, "../config/policies") {
			s.create(root, &object)
		}
		s.more = append(s.more, "--break-glass-retention", "168h", "--verbose")
		selfGuarded(s)
	})
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"what nobody known signed is not stored", glassStranger},
		{"a flood keeps nobody out", glassFlood},
		{"beyond the places nothing opens, and it is told", glassBeyond},
		{"records stay, whoever deletes them", glassStays},
		{"records go when they may", glassGoes},
	} {
		if !l.chapter(t, chapter.name, chapter.tell) {
			return // what follows would fail for that alone
		}
	}
}

// request is somebody's request for an hour, agreed to by others.
func (l *serveLab) request(name, who, key string, approvers ...string) *unstructured.Unstructured {
	l.t.Helper()
	text := l.fairway("breakglass", "request", "-n", "shop", "--namespace-uid", l.uid("shop"), "--name", name, "--user", who,
		"--reason", "the shop is down", "--ticket", "INC-58", "--key", key)
	for _, approver := range approvers {
		file := filepath.Join(l.t.TempDir(), "glass.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
		text = l.fairway("breakglass", "approve", file, "--key", l.shop.Key(approver))
	}
	return manifest(l.t, text)
}

// asks makes a BreakGlass.
func (l *serveLab) asks(user string, object *unstructured.Unstructured) error {
	l.t.Helper()
	_, err := l.on(user, object).Create(l.t.Context(), object, metav1.CreateOptions{})
	return err
}

func (l *serveLab) glassNamed(ctx context.Context, name string) (b v1alpha1.BreakGlass, err error) {
	object, err := l.as("admin").Resource(fairwayResource("BreakGlass")).Namespace("shop").Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		convert(l.t, object, &b)
	}
	return b, err
}

// glassStranger: mallory has every right of RBAC and no key that a Team lists.
func glassStranger(l *serveLab) {
	mallory, err := story.NewPerson("mallory", "nowhere")
	if err != nil {
		l.t.Fatal(err)
	}
	key := filepath.Join(l.t.TempDir(), "mallory.key")
	if err := mallory.WriteKey(key); err != nil {
		l.t.Fatal(err)
	}
	l.refused(l.asks("mallory", l.request("strange", "mallory", key)), "this is no request for break-glass here: NotSigned")
	stolen := l.request("stolen", "sara", l.shop.Key("sara"))
	for path, value := range map[string]any{"user": "mallory", "notAfter": "2099-01-01T00:00:00Z", "notBefore": "2020-01-01T00:00:00Z", "reason": "nothing to see here"} {
		forged := stolen.DeepCopy()
		if err := unstructured.SetNestedField(forged.Object, value, "spec", path); err != nil {
			l.t.Fatal(err)
		}
		if err := l.asks("mallory", forged); err == nil {
			l.t.Errorf("another %s than was signed is stored", path)
		}
	}
	owned := stolen.DeepCopy()
	owned.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "11111111-1111-4111-8111-111111111111"}})
	l.refused(l.asks("mallory", owned), "finalizers or owners")
	held := stolen.DeepCopy()
	held.SetFinalizers([]string{"example.com/stay"})
	l.refused(l.asks("mallory", held), "finalizers or owners")
}

// glassFlood: sam, who has a key, asks as often as he can; sara's emergency comes through at once.
func glassFlood(l *serveLab) {
	var refusal error
	stored := 0
	for i := 0; refusal == nil && i < 5*policy.GlassesHere; i++ {
		if refusal = l.asks("sam", l.request(fmt.Sprintf("sam-%d", i), "sam", l.shop.Key("sam"))); refusal == nil {
			stored++
		}
	}
	l.refused(refusal, "requests of sam in this namespace that wait")
	if stored < policy.GlassesHere {
		l.t.Errorf("sam made %d requests, and has %d places", stored, policy.GlassesHere)
	}
	waits := l.request("sara", "sara", l.shop.Key("sara"))
	l.admitted(l.asks("sara", waits))
	copied := waits.DeepCopy()
	copied.SetName("copied")
	l.until("a copy is refused", func(context.Context) error {
		_, err := l.on("mallory", copied).Create(l.t.Context(), copied, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), `BreakGlass "sara" has the same request`) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	hand := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hotfix, namespace: shop}\ndata: {a: b}\n")
	for _, who := range []string{"sara", "sam"} { // sam's own emergency too, whatever of his waits
		l.admitted(l.asks(who, l.request("agreed-"+who, who, l.shop.Key(who), "paula")))
		fix := hand.DeepCopy()
		fix.SetName("hotfix-" + who)
		l.until(who+"'s glass is broken", func(context.Context) error {
			_, err := l.on(who, fix).Create(l.t.Context(), fix, metav1.CreateOptions{})
			return err
		})
	}
}

// glassBeyond: pete's requests are stored past the gates, as happens where one had not heard of the others.
func glassBeyond(l *serveLab) {
	var all []*unstructured.Unstructured
	for i := range policy.GlassesHere + 3 {
		all = append(all, l.request(fmt.Sprintf("pete-%02d", i), "pete", l.shop.Key("pete")))
	}
	l.past(all, func() {})
	l.until("three of them are beyond the places", func(ctx context.Context) error {
		beyond := 0
		for _, o := range all {
			b, err := l.glassNamed(ctx, o.GetName())
			if err != nil {
				return err
			}
			if c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionActive); c != nil && c.Reason == v1alpha1.ReasonTooMany {
				if c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "pete has as many open requests as are looked at (16 in a namespace, 64 in all") {
					l.t.Errorf("%s says %+v", o.GetName(), c)
				}
				beyond++
			}
		}
		if beyond != 3 {
			return fmt.Errorf("%d are", beyond)
		}
		return nil
	})
	l.until("the metric says so", func(ctx context.Context) error {
		if n, err := l.metric(ctx, "fairway_break_glasses", `state="beyond"`); err != nil || n < 3 {
			return fmt.Errorf("it is %v, %w", n, err)
		}
		return nil
	})
}

// past stores objects with no gate asked, and does more before Fairway is back.
func (l *serveLab) past(objects []*unstructured.Unstructured, more func()) {
	l.t.Helper()
	if err := l.program.Stop(); err != nil {
		l.t.Fatal(err)
	}
	hooks := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	config, err := l.hookConfig(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	fairway, err := l.cluster.ConfigFor(fairwayUser, "system:masters")
	if err != nil {
		l.t.Fatal(err)
	}
	if err := request(l.t, fairway, "DELETE", hookConfigs+"/"+config.Name, ""); err != nil {
		l.t.Fatal(err)
	}
	for _, o := range objects {
		l.until("no gate is asked", func(context.Context) error { return l.asks("admin", o) })
	}
	more()
	l.serve()
	l.until("Fairway's configuration is back, and asked for", func(ctx context.Context) error {
		if _, err := hooks.Get(ctx, "fairway", metav1.GetOptions{}); err != nil {
			return err
		}
		return refusedNow(l.on("mallory", objects[0]).Delete(ctx, objects[0].GetName(), metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}))
	})
}

// refusedNow is an error while what came to err was not refused.
func refusedNow(err error) error {
	if err == nil {
		return errors.New("it goes through")
	}
	return nil
}

// glassStays: while a gate is asked, and by the policies where none is (see TestT06T07ThePoliciesHoldForEverybody).
func glassStays(l *serveLab) {
	glasses := resource(l.as("admin"), "BreakGlass", "shop")
	l.refused(glasses.Delete(l.t.Context(), "agreed-sara", metav1.DeleteOptions{}), "")
	// Sara's break-glass lets her through, and is not hers to wipe out.
	l.refused(resource(l.as("sara"), "BreakGlass", "shop").Delete(l.t.Context(), "agreed-sara", metav1.DeleteOptions{}), "")
	l.refused(glasses.DeleteCollection(l.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}), "")
	_, err := glasses.Patch(l.t.Context(), "agreed-sara", types.MergePatchType, []byte(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"11111111-1111-4111-8111-111111111111"}]}}`), metav1.PatchOptions{})
	l.refused(err, "finalizers or owners")
	_, err = glasses.Patch(l.t.Context(), "agreed-sara", types.MergePatchType, []byte(`{"status":{"closedAt":"2020-01-01T00:00:00Z"}}`), metav1.PatchOptions{}, "status")
	l.refused(err, "Fairway alone")
	for _, name := range []string{"agreed-sara", "agreed-sam", "sara"} {
		if _, err := l.glassNamed(l.t.Context(), name); err != nil {
			l.t.Error(err)
		}
	}
}

// glassGoes: what was closed long ago goes, and what is owed does not.
func glassGoes(l *serveLab) {
	const used = `"uses":1,"requester":"sara","used":[{"at":"2026-01-01T00:30:00Z","user":"sara","operation":"CREATE","object":{"kind":"ConfigMap","namespace":"shop","name":"KEPT"}}]`
	recent := metav1.Now().UTC().AddDate(0, 0, -2).Format("2006-01-02T15:04:05Z")
	records := map[string]struct {
		status string
		goes   bool
	}{
		"unused-old":  {`{"status":{"closedAt":"2026-01-02T00:00:00Z"}}`, true},
		"used-old":    {`{"status":{"closedAt":"2026-01-02T00:00:00Z",` + used + `}}`, true},
		"used-recent": {`{"status":{"closedAt":"` + recent + `",` + used + `}}`, false},
	}
	fairway, err := l.cluster.ConfigFor(fairwayUser)
	if err != nil {
		l.t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for name := range records {
		o := base(l.t, "BreakGlass", "shop", "", "")
		o.SetName(name)
		for path, at := range map[string]string{"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-01-01T01:00:00Z"} {
			if err := unstructured.SetNestedField(o.Object, at, "spec", path); err != nil {
				l.t.Fatal(err)
			}
		}
		all = append(all, o)
	}
	l.past(all, func() {
		for name, record := range records {
			if err := request(l.t, fairway, "PATCH", "/apis/fairway.dev/v1alpha1/namespaces/shop/breakglasses/"+name+"/status", record.status); err != nil {
				l.t.Fatal(err)
			}
		}
	})
	for name, record := range records {
		if record.goes {
			l.until(name+" goes", func(ctx context.Context) error {
				if _, err := l.glassNamed(ctx, name); err == nil {
					return errors.New("it is there")
				}
				return nil
			})
		}
	}
	l.event("BreakGlassRetired", "TierBinding", "tier", "shop", "the record of used-old, asked for by sara and used 1 times")
	if log := l.program.Log(); !strings.Contains(log, "the record of a break-glass is deleted") || !strings.Contains(log, `"name":"used-old"`) {
		l.t.Error("the log says nothing of it")
	}
	if n, err := l.metric(l.t.Context(), "fairway_break_glasses_retired_total", ""); err != nil || n != 2 {
		l.t.Errorf("%v are counted, %v", n, err)
	}
	// What is owed stays: sara's and sam's changes differ from Git.
	for _, name := range []string{"used-recent", "agreed-sara", "agreed-sam", "sara"} {
		if _, err := l.glassNamed(l.t.Context(), name); err != nil {
			l.t.Errorf("%s is gone: %v", name, err)
		}
	}
}
