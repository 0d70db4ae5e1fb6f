package controller

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// lives is a cluster of ConfigMaps, by kind.
type lives map[string][]string

func (l lives) List(_ context.Context, kind change.Kind, _ string, each func([]byte) error) error {
	objects, ok := l[kind.Kind]
	if !ok {
		return errors.New("forbidden")
	}
	for _, o := range objects {
		if err := each([]byte(o)); err != nil {
			return err
		}
	}
	return nil
}

// noTypes knows no kind, so that nothing of what lives binds.
type noTypes struct{}

func (noTypes) Type(change.Kind) (*canon.Type, bool) { return nil, false }

func configMap(name, more string) string {
	return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `","namespace":"shop"` + more + `}}`
}

func id(kind, name string) change.ObjectID {
	return change.ObjectID{Kind: kind, Namespace: "shop", Name: name}
}

func TestSweepSortsWhatLives(t *testing.T) {
	binding := tier.Binding{Namespace: "shop", Name: "tier", Sources: []tier.Source{{Name: "shop", Repository: "apps", Branch: "main", Path: "p"}}}
	proof := &change.Proof{Commit: "a", Objects: []change.ProvenObject{
		{ID: id("ConfigMap", "there"), Version: "v1"}, {ID: id("ConfigMap", "gone"), Version: "v1"}, {ID: id("Secret", "unread"), Version: "v1"},
	}}
	newer := &change.Proof{Commit: "b", Height: 9, Judgements: []change.Judgement{{Admissible: change.Present}}}
	now := time.Unix(1e9, 0)
	found := change.Present
	a := &Auditor{
		Lister: lives{"ConfigMap": {
			configMap("there", ""), configMap("old", ""), configMap("kube-root-ca.crt", ""),
			configMap("child", `,"ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"1","controller":true}]`),
			configMap("going", `,"deletionTimestamp":"2026-01-01T00:00:00Z"`),
		}},
		Types:  func() canon.Types { return noTypes{} },
		Proofs: func(change.SourceKey) []*change.Proof { return []*change.Proof{newer, proof} },
		Delivered: func(change.SourceKey) ([]change.Delivered, change.Found) {
			return []change.Delivered{{Commit: "a"}}, found
		},
		World: func() *tier.World { return &tier.World{} },
		Now:   func() time.Time { return now },
	}
	got, err := a.Sweep(t.Context(), binding)
	if err != nil {
		t.Fatal(err)
	}
	want := Sweep{
		At: now, Drifted: []change.ObjectID{id("ConfigMap", "there")}, Missing: []change.ObjectID{id("ConfigMap", "gone")},
		Inherited: []change.ObjectID{id("ConfigMap", "old")}, Unread: []string{"v1 Secret: forbidden"},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Sweep{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for object, want := range map[change.ObjectID]bool{
		id("ConfigMap", "there"): true, id("ConfigMap", "gone"): true, id("ConfigMap", "old"): true,
		id("ConfigMap", "never"): false, id("Secret", "unread"): true, id("Service", "unread"): true,
	} {
		if got.Differs(object) != want {
			t.Errorf("%s differs: %v, want %v", object, !want, want)
		}
	}
	found = change.CouldNotTell
	if _, err := a.Sweep(t.Context(), binding); err == nil {
		t.Error("a sweep although nobody can tell what was delivered")
	}
}

// TestRuling10Enforcing: True only when every live object is accounted for.
func TestRuling10Enforcing(t *testing.T) {
	one := []change.ObjectID{id("ConfigMap", "a")}
	for name, test := range map[string]struct {
		sweep   *Sweep
		is      bool
		reason  string
		message string
	}{
		"never":     {nil, false, v1alpha1.ReasonSweeping, "not finished"},
		"clean":     {&Sweep{Bound: one}, true, v1alpha1.ReasonSwept, "1 objects"},
		"inherited": {&Sweep{Inherited: one}, true, v1alpha1.ReasonSwept, "1 inherited"},
		"missing":   {&Sweep{Missing: one}, true, v1alpha1.ReasonSwept, "ConfigMap shop/a"},
		"behind":    {&Sweep{Behind: one}, true, v1alpha1.ReasonSwept, "older commit"},
		"drifted":   {&Sweep{Drifted: one}, false, v1alpha1.ReasonUnproven, "ConfigMap shop/a"},
		"unread":    {&Sweep{Drifted: one, Unread: []string{"v1 Secret: no"}}, false, v1alpha1.ReasonSweeping, "v1 Secret"},
	} {
		got := enforcing(test.sweep)
		if got.is != test.is || got.reason != test.reason || !strings.Contains(got.message, test.message) {
			t.Errorf("%s: %+v", name, got)
		}
		if test.sweep != nil && test.sweep.Clean() != test.is {
			t.Errorf("%s: clean %v", name, !test.is)
		}
	}
}

// TestSweepIsEncodable: it is what a command prints.
func TestSweepIsEncodable(t *testing.T) {
	if _, err := json.Marshal(Sweep{Bound: []change.ObjectID{id("ConfigMap", "a")}}); err != nil {
		t.Error(err)
	}
}

// TestRuling16RuntimeLanesExplain what stands beside what Git sets; whose field is not explained is named.
func TestRuling16RuntimeLanesExplain(t *testing.T) {
	object, err := canon.Parse([]byte(configMap("a", "")))
	if err != nil {
		t.Fatal(err)
	}
	texts := func(b tier.Binding, t tier.Tier) string {
		var all []string
		for _, p := range explained(object, b, t) {
			all = append(all, p.String())
		}
		return strings.Join(all, " ")
	}
	lane := []tier.Controller{{Fields: []string{"data.caBundle", "not a pattern ["}}}
	for name, test := range map[string]struct {
		b    tier.Binding
		t    tier.Tier
		path string
		want bool
	}{
		"nobody":          {tier.Binding{}, tier.Tier{}, "data.caBundle", false},
		"the tier's":      {tier.Binding{}, tier.Tier{Controllers: lane}, "data.caBundle", true},
		"the binding's":   {tier.Binding{Controllers: lane}, tier.Tier{}, "data.caBundle", true},
		"tolerated":       {tier.Binding{}, tier.Tier{Tolerate: []tier.Tolerance{{Kind: "ConfigMap", Path: "data.x"}}}, "data.x", true},
		"of another kind": {tier.Binding{}, tier.Tier{Tolerate: []tier.Tolerance{{Kind: "Secret", Path: "data.x"}}}, "data.x", false},
		"scaling":         {tier.Binding{}, tier.Tier{Scale: tier.PolicyAllow}, "spec.replicas", true},
		"asked to look":   {tier.Binding{}, tier.Tier{}, `metadata.annotations["reconcile.fluxcd.io/requestedAt"]`, true},
		"no scaling":      {tier.Binding{}, tier.Tier{Scale: tier.PolicyDeny}, "spec.replicas", false},
	} {
		if got := strings.Contains(texts(test.b, test.t), test.path); got != test.want {
			t.Errorf("%s: %s explained: %v, want %v", name, test.path, got, test.want)
		}
	}
	found := []canon.Residue{{Path: "spec.hostNetwork", Manager: "slip"}, {Path: "spec.clusterIP"}}
	if d := cmp.Diff([]string{"spec.hostNetwork (slip)"}, owned(found)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
