package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestRuling08ANamespaceThatEndsKeepsItsTier: its binding is often the first thing that goes. Where
// nobody knows whether it had one, it is judged by the strictest tier.
func TestRuling08ANamespaceThatEndsKeepsItsTier(t *testing.T) {
	tiers := []v1alpha1.EnvironmentTier{
		{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentTierSpec{Lane: "Gated"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "sandbox"}, Spec: v1alpha1.EnvironmentTierSpec{Lane: "Open"}},
	}
	namespaces := func(ending bool) []corev1.Namespace {
		var all []corev1.Namespace
		for _, name := range []string{"bound", "free"} {
			ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if ending {
				ns.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			}
			all = append(all, ns)
		}
		return all
	}
	const own = "fairway-system"
	bindings := []v1alpha1.TierBinding{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "bound", Name: "tier"}, Spec: v1alpha1.TierBindingSpec{Tier: "production"}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "cluster"}, Spec: v1alpha1.TierBindingSpec{Tier: "production", Install: &v1alpha1.Install{DefaultTier: "sandbox"}}},
	}
	settings := Settings{Namespace: own, Sealed: true}
	alive := Compile(Kinds{Tiers: tiers, Bindings: bindings, Namespaces: namespaces(false)}, settings, nil)
	going := Kinds{Tiers: tiers, Bindings: bindings[1:], Namespaces: namespaces(true)}
	seen := Compile(going, settings, alive)
	for name, tt := range map[string]struct {
		world *tier.World
		want  map[string]string
	}{
		"seen before":            {seen, map[string]string{"bound": "production", "free": "sandbox"}},
		"and again":              {Compile(going, settings, seen), map[string]string{"bound": "production", "free": "sandbox"}},
		"never seen":             {Compile(going, settings, nil), map[string]string{"bound": "(not known any more)", "free": "(not known any more)"}},
		"first of a new state":   {Compile(going, settings, NewState().World()), map[string]string{"bound": "(not known any more)", "free": "(not known any more)"}},
		"with its binding there": {Compile(Kinds{Tiers: tiers, Bindings: bindings, Namespaces: namespaces(true)}, settings, nil), map[string]string{"bound": "production", "free": "(not known any more)"}},
	} {
		for namespace, want := range tt.want {
			got, _ := tt.world.Tier(namespace)
			if got.Name != want || want != "sandbox" && got.Lane == tier.Open {
				t.Errorf("%s: namespace %s is in tier %q (%s), want %q", name, namespace, got.Name, got.Lane, want)
			}
		}
	}
}

// TestWordsThatNobodyKnowsAreStrict: files are read without an API server that would refuse them. A word that is
// none of a field's asks for the most, and never for less than the right one.
func TestWordsThatNobodyKnowsAreStrict(t *testing.T) {
	for _, word := range []string{"required", "robot", "compromised", "x"} {
		w := Compile(Kinds{
			Tiers: []v1alpha1.EnvironmentTier{{
				ObjectMeta: metav1.ObjectMeta{Name: "t"},
				Spec:       v1alpha1.EnvironmentTierSpec{Lane: v1alpha1.Lane(word), Reciprocal: v1alpha1.Reciprocal(word)},
			}},
		}, Settings{}, nil)
		p := principal(v1alpha1.Principal{Name: "p", Kind: v1alpha1.PrincipalKind(word), Keys: []v1alpha1.Key{{Revocation: v1alpha1.KeyRevocation(word)}}}, nil)
		if l := w.Tiers["t"]; l.Lane == tier.Open || !l.Reciprocal || !p.Robot || !p.Keys[0].Compromised {
			t.Errorf("%q: lane %s, reciprocal %t, robot %t, compromised %t", word, l.Lane, l.Reciprocal, p.Robot, p.Keys[0].Compromised)
		}
	}
}

// TestT18EnginesOfASealThatIsGone: what engines bring to the namespaces of the cluster is judged on when the binding
// that lists them goes, and one that lists others stands above what was before.
func TestT18EnginesOfASealThatIsGone(t *testing.T) {
	const own = "fairway-system"
	listing := func(engines ...string) Kinds {
		return Kinds{Bindings: []v1alpha1.TierBinding{
			{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "cluster"}, Spec: v1alpha1.TierBindingSpec{Tier: "production", Install: &v1alpha1.Install{Engines: engines}}},
		}}
	}
	settings := Settings{Namespace: own, Sealed: true}
	sealed := Compile(listing("flux"), settings, nil)
	gone := Compile(Kinds{}, settings, sealed)
	for name, tt := range map[string]struct {
		world *tier.World
		want  []string
	}{
		"listed":          {sealed, []string{"flux"}},
		"gone":            {gone, []string{"flux"}},
		"gone for long":   {Compile(Kinds{}, settings, gone), []string{"flux"}},
		"listed anew":     {Compile(listing("argo"), settings, gone), []string{"argo"}},
		"listing none":    {Compile(listing(), settings, sealed), nil},
		"never sealed":    {Compile(Kinds{}, Settings{Namespace: own}, sealed), nil},
		"seen by nobody":  {Compile(Kinds{}, settings, nil), nil},
		"of a new memory": {Compile(Kinds{}, settings, NewState().World()), nil},
	} {
		if diff := cmp.Diff(tt.want, tt.world.Install.Engines); diff != "" {
			t.Errorf("%s: engines (-want +got):\n%s", name, diff)
		}
	}
}

// TestSigstoreRootsAreTheTeamsOwn: a key names a trust root of its own team, and one that names none
// has none, and is said so. The trust root is a policy input: a new one has old proofs judged again.
func TestSigstoreRootsAreTheTeamsOwn(t *testing.T) {
	key := v1alpha1.Key{Format: v1alpha1.KeySigstore, SigstoreRoot: "public", Identity: "ada@example.com", Issuer: "https://accounts.example.com"}
	team := func(name string, roots ...v1alpha1.SigstoreRoot) v1alpha1.Team {
		return v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TeamSpec{
			SigstoreRoots: roots, Principals: []v1alpha1.Principal{{Name: "ada-of-" + name, Keys: []v1alpha1.Key{key}}},
		}}
	}
	compile := func(text string) *tier.World {
		return Compile(Kinds{Teams: []v1alpha1.Team{
			team("shop", v1alpha1.SigstoreRoot{Name: "public", TrustedRoot: text}), team("bank"),
		}}, Settings{}, nil)
	}
	world := compile("one")
	ada, _ := world.People.Get("ada-of-shop")
	want := []tier.Key{{Format: tier.Sigstore, Public: "one", Identity: key.Identity, Issuer: key.Issuer}}
	if diff := cmp.Diff(want, ada.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	want[0].Public = ""
	other, _ := world.People.Get("ada-of-bank")
	if diff := cmp.Diff(want, other.Keys); diff != "" {
		t.Errorf("a trust root of another team counts, or what the key says is lost (-want +got):\n%s", diff)
	}
	if problem := strings.Join(world.Problems, "\n"); !strings.Contains(problem, `team "bank": a key of ada-of-bank names a sigstoreRoot`) {
		t.Errorf("problems %q", problem)
	}
	if compile("two").People.Digest == world.People.Digest {
		t.Error("another trust root has the same digest: old proofs would stand")
	}
}
