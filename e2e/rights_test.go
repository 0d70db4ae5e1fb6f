package e2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// rights is kubectl's table without its columns' widths, sorted.
func rights(table string) string {
	var lines []string
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n") + "\n"
}

var updateRights = flag.Bool("update-rights", false, "write testdata/rights anew")

// TestT56Rights holds what each service account may do, as the real API server tells it: a right more is
// a difference that somebody reads.
func TestT56Rights(t *testing.T) {
	c := cluster(t)
	client := installCRDs(t, c)
	system := namespaced("Namespace", "", "fairway-system")
	if _, err := clientFor(client, *system).Create(t.Context(), system, strict); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	configured(t, client, "../config/rbac")
	binaries, err := controlplane.Binaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		config, err := c.ConfigFor(roleUser(role))
		if err != nil {
			t.Fatal(err)
		}
		kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
		if err := controlplane.WriteKubeconfig(kubeconfig, config); err != nil {
			t.Fatal(err)
		}
		for _, namespace := range []string{"fairway-system", "default"} {
			out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "kubectl"), "--kubeconfig", kubeconfig,
				"auth", "can-i", "--list", "--namespace", namespace).Output()
			if err != nil {
				t.Fatal(err)
			}
			got := rights(string(out))
			path := filepath.Join("testdata", "rights", role+"."+namespace+".txt")
			if *updateRights {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the rights of %s in %s; if they are meant, run the test with -update-rights (-want +got):\n%s", role, namespace, diff)
			}
		}
	}
}
