package tier

import "testing"

type labelled map[string]string

func (l labelled) Matches(labels map[string]string) bool {
	for k, v := range l {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func TestOf(t *testing.T) {
	tiers := map[string]Tier{
		"sandbox": {Name: "sandbox", Lane: Open},
		"staging": {Name: "staging", Rank: 10, Selector: labelled{"env": "staging"}},
		"prod":    {Name: "prod", Rank: 20, Selector: labelled{"env": "prod"}},
		"payment": {Name: "payment", Rank: 20, Selector: labelled{"pay": "yes"}},
	}
	for _, c := range []struct {
		name    string
		labels  map[string]string
		binding *Binding
		byname  string
		want    string
		strict  bool
	}{
		{"the binding decides", map[string]string{"env": "prod"}, &Binding{Tier: "sandbox"}, "staging", "sandbox", false},
		{"a binding to nothing", map[string]string{"env": "staging"}, &Binding{Tier: "gone"}, "sandbox", "gone", true},
		{"a binding to the empty name", nil, &Binding{}, "sandbox", "(none)", true},
		{"the selector decides", map[string]string{"env": "staging"}, nil, "sandbox", "staging", false},
		{"the higher rank decides", map[string]string{"env": "staging", "pay": "yes"}, nil, "sandbox", "payment", false},
		{"the name decides between equal ranks", map[string]string{"env": "prod", "pay": "yes"}, nil, "sandbox", "payment", false},
		{"the default", nil, nil, "sandbox", "sandbox", false},
		{"no default", nil, nil, "", "(none)", true},
		{"a default that is gone", nil, nil, "gone", "gone", true},
	} {
		got := Of(Namespace{Name: "n", Labels: c.labels}, c.binding, tiers, c.byname)
		if got.Name != c.want || (got.Digest == "strictest") != c.strict {
			t.Errorf("%s: %q, strictest is %v", c.name, got.Name, got.Digest == "strictest")
		}
	}
}

// TestUnknownNamespaceIsStrictest: a look-up that missed never opens anything, T-19.
func TestUnknownNamespaceIsStrictest(t *testing.T) {
	w := World{Tiers: map[string]Tier{"sandbox": {Name: "sandbox", Lane: Open}}, Install: Install{DefaultTier: "sandbox"}}
	if got, b := w.Tier("new"); got.Lane == Open || b != nil {
		t.Errorf("an unknown namespace is in tier %q", got.Name)
	}
	if got, _ := w.Entering(Namespace{Name: "new"}); got.Lane != Open {
		t.Errorf("a namespace that enters the default tier is in tier %q", got.Name)
	}
	if got, _ := w.ClusterTier(); got.Lane == Open || got.Digest != "strictest" {
		t.Errorf("without a cluster binding the cluster scope is in tier %q", got.Name)
	}
	w.Cluster = &Binding{Tier: "sandbox"}
	if got, b := w.ClusterTier(); got.Lane != Open || b == nil {
		t.Errorf("with one it is in tier %q", got.Name)
	}
}

// TestPolicyDigestCoversEverything: every input counts, and none runs into its neighbour.
func TestPolicyDigestCoversEverything(t *testing.T) {
	digest := func(s [10]string) string {
		return PolicyDigest(Tier{Name: s[0], Digest: s[1]}, Binding{Namespace: s[2], Name: s[3], Digest: s[4]}, People{Digest: s[5]}, Repository{Name: s[6], Digest: s[7]}, s[8])
	}
	base := [10]string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	seen := map[string]int{digest(base): -1}
	for i := range 9 {
		changed := base
		changed[i] += "x"
		if j, ok := seen[digest(changed)]; ok {
			t.Errorf("inputs %d and %d have one digest", i, j)
		}
		seen[digest(changed)] = i
	}
	moved := base
	moved[0], moved[1] = "ab", ""
	if digest(moved) == digest(base) {
		t.Error("two inputs run into each other")
	}
}

func TestSourceNamed(t *testing.T) {
	b := Binding{Sources: []Source{{Name: "web"}, {Name: "api", Path: "x"}}}
	if s, ok := b.SourceNamed("api"); !ok || s.Path != "x" {
		t.Errorf("api is %+v, %v", s, ok)
	}
	if _, ok := b.SourceNamed(""); ok {
		t.Error("the empty name is a source")
	}
}
