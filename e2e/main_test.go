// Package e2e proves Fairway against a real control plane: what a fake would agree to, the API server
// may refuse. Tests share one cluster, started by the first that asks, and keep apart by namespaces.
package e2e

import (
	"os"
	"testing"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// shared is the binary's one control plane, without a controller manager: a test that needs controllers
// starts its own cluster.
var shared controlplane.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// cluster returns the shared control plane. Use cluster(t).Namespace for a namespace of the test's own.
func cluster(t testing.TB) *controlplane.Cluster {
	t.Helper()
	return shared.Cluster(t)
}
