package controlplane

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Shared is one cluster for all tests of a test binary, started by the first test that asks for it. Tests
// keep apart by namespaces. The zero value is ready; call Main from TestMain.
type Shared struct {
	// Options are read at the start.
	Options Options

	once    sync.Once
	cluster *Cluster
	err     error
}

// Main runs the tests and stops the cluster; its result is the exit code. It builds missing binaries
// before the tests begin, so that the minutes this takes do not count against a test's time limit.
func (s *Shared) Main(m *testing.M) int {
	if _, err := Binaries(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if s.cluster == nil {
		return code
	}
	if code != 0 {
		fmt.Fprint(os.Stderr, s.cluster.Complaints())
	}
	if err := s.cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Cluster returns the cluster and starts it if no test has. A failed start fails each test that asks.
func (s *Shared) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(func() { s.cluster, s.err = Start(context.Background(), s.Options) })
	if s.err != nil {
		t.Fatalf("no control plane: %v", s.err)
	}
	return s.cluster
}

// Namespace makes a namespace for one test and returns its name, which begins with the test's. It stays
// until the cluster stops; the labels are put on it.
func (c *Cluster) Namespace(t testing.TB, labels map[string]string) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix(t.Name()), Labels: labels}}
	namespace, err = client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	return namespace.Name
}

// prefix makes a test's name the beginning of a namespace's.
func prefix(test string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(test))
	return strings.Trim(name[:min(len(name), 50)], "-") + "-"
}
