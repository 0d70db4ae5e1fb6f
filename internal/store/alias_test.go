package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// TestAnAliasMeansOneRepository: an address that two repositories claim is an alias of neither, or a
// statement about the one would count for the other.
func TestAnAliasMeansOneRepository(t *testing.T) {
	repository := func(name, url string, aliases ...string) v1alpha1.Repository {
		return v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RepositorySpec{URL: url, Aliases: aliases}}
	}
	w := Compile(Kinds{Repositories: []v1alpha1.Repository{
		repository("a", "https://git.example.com/a", "https://git.example.com/a", "git@git.example.com:a", "shared", "https://git.example.com/b"),
		repository("b", "https://git.example.com/b", "git@git.example.com:b", "shared"),
	}}, Settings{}, nil)
	got := map[string][]string{}
	for name, r := range w.Repositories {
		got[name] = r.Aliases
	}
	want := map[string][]string{"a": {"https://git.example.com/a", "git@git.example.com:a"}, "b": {"git@git.example.com:b"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("aliases (-want +got):\n%s", d)
	}
	if len(w.Problems) != 3 {
		t.Errorf("%d problems are told, want 3: %q", len(w.Problems), w.Problems)
	}
}
