package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// sealing puts the objects of the cluster, Fairway's own among them, into production: they come from the
// chart in the repository, delivered by an administrator with Helm.
const sealing = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: guard}
spec:
  tier: production
  owners: [platform]
  sources:
  - name: fairway
    repository: apps
    branch: main
    path: charts/fairway
    render: Helm
    helm: {release: fairway, valuesFiles: [clusters/main/fairway.yaml]}
    via: {helm: {users: [admin]}}
  install:
    defaultTier: sandbox
    proverUsers: ["system:serviceaccount:guard:fairway-prover"]
`

// sealedLab is a lab whose install is sealed: a repository holds Fairway's own chart, and what it renders is
// all that the cluster takes.
type sealedLab struct {
	*lab
	shop    *story.Shop
	kubectl string
	values  string // of the release, as the repository has them
}

// newSealedLab installs the version before, has the repository deliver it, and seals.
func newSealedLab(t *testing.T) *sealedLab {
	t.Helper()
	l := &sealedLab{lab: newLab(t)}
	shop, err := story.NewShop(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	binaries, err := controlplane.Binaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.shop, l.kubectl = shop, filepath.Join(binaries, "kubectl")
	l.values = filepath.Join(l.shop.Clone(), "clusters/main/fairway.yaml")
	return l
}

// valuesOf are the values of the release. Tiers are made once, at the install, and what makes them looks
// into the cluster, so that no commit could say what comes of it.
func (l *sealedLab) valuesOf() string {
	return fmt.Sprintf(`tls: {mode: builtIn}
webhook: {url: "https://%s"}
seal: {repository: %q, key: %q}
gate: {replicas: 2, drain: 2s}
prover: {interval: 1s, auditInterval: 10s}
tiers: {enabled: false}
`, l.balancer.Address(), l.shop.Repo.URL(), l.shop.People["paula"].Fingerprint())
}

// land merges a change, with its approvals, and has the clone stand at the merge.
func (l *sealedLab) land(message string, files map[string]string) string {
	l.t.Helper()
	merge, head, err := l.shop.Land(l.t.Context(), "sara", message+"\n\nTicket: OPS-1", files)
	if err != nil {
		l.t.Fatal(err)
	}
	l.checkout(merge)
	for _, who := range []string{"sam", "paula"} {
		l.fairway("approve", head, "-C", l.shop.Clone(), "--repository", l.shop.Repo.URL(), "--key", l.shop.Key(who), "--as", who)
	}
	return merge
}

// checkout has the clone stand at a commit.
func (l *sealedLab) checkout(commit string) {
	l.t.Helper()
	if err := l.shop.Fetch(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.run("git", "-C", l.shop.Clone(), "checkout", "--quiet", "--detach", commit); err != nil {
		l.t.Fatal(err)
	}
}

func (l *sealedLab) fairway(args ...string) string {
	l.t.Helper()
	program, err := product()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := l.run(program, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// deliver brings what the clone holds with Helm.
func (l *sealedLab) deliver(verb string) error {
	l.t.Helper()
	_, err := l.helm(verb, "fairway", filepath.Join(l.shop.Clone(), "charts/fairway"), "-f", l.values,
		"--server-side=true", "--wait", "--timeout", "2m")
	return err
}

func (l *sealedLab) apply(file string) error {
	l.t.Helper()
	_, err := l.run(l.kubectl, "apply", "--server-side", "--force-conflicts", "-f", file)
	return err
}

// write writes a file beside the lab's.
func (l *sealedLab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// seal installs what the repository holds, makes a world with a shop in production, and seals.
func (l *sealedLab) seal() {
	l.t.Helper()
	if err := l.deliver("install"); err != nil {
		l.t.Fatal(err)
	}
	l.enforced()
	if _, err := l.run(l.kubectl, "create", "namespace", "shop"); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.run(l.kubectl, "create", "namespace", "play"); err != nil {
		l.t.Fatal(err)
	}
	for _, file := range []string{"tiers.yaml", "teams.yaml", "repository.yaml", "bindings.yaml"} {
		if err := l.apply(l.shop.World(file)); err != nil {
			l.t.Fatal(err)
		}
	}
	l.refused("fairway.dev\" denied the request")
	file := l.write("cluster.yaml", sealing)
	// It is refused until Fairway has seen the repository and the keys that it seals to.
	l.until("the install is sealed", func(context.Context) error { return l.apply(file) })
	role := l.write("role.yaml", strings.ReplaceAll(oldRole, "fairway-old", "mallory"))
	l.until("roles are guarded", func(context.Context) error {
		if err := l.apply(role); err == nil || !strings.Contains(err.Error(), "denied the request") {
			return fmt.Errorf("a role that no commit holds is not refused: %w", err)
		}
		return nil
	})
}

// runs holds that all pods are of a version, and that the kinds and roles of the cluster are its.
func (l *sealedLab) runs(version string) {
	l.t.Helper()
	l.enforced()
	pods, err := l.typed.CoreV1().Pods(own).List(l.t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component in (gate, prover)"})
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.DeletionTimestamp == nil && !strings.HasSuffix(p.Spec.Containers[0].Image, ":"+version) {
			l.t.Errorf("pod %s is of %s, want %s", p.Name, p.Spec.Containers[0].Image, version)
		}
	}
	l.holds(version)
}

// holds holds that the kinds and roles of the cluster are those of a version.
func (l *sealedLab) holds(version string) {
	l.t.Helper()
	crd, err := l.dynamic.Resource(of("apiextensions.k8s.io", "v1", "customresourcedefinitions")).Get(l.t.Context(), "teams.fairway.dev", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	want := "fairway"
	if version == versionBefore {
		want = "before"
	}
	if got, _, _ := unstructured.NestedStringSlice(crd.Object, "spec", "names", "categories"); len(got) != 1 || got[0] != want {
		l.t.Errorf("the categories of teams are %q, want %s", got, want)
	}
	_, err = l.typed.RbacV1().ClusterRoles().Get(l.t.Context(), "fairway-old", metav1.GetOptions{})
	if there := !apierrors.IsNotFound(err); there != (version == versionBefore) {
		l.t.Errorf("in %s the role fairway-old is there: %t (%v)", version, there, err)
	}
}

// TestSealed: an install that is sealed changes as Git says, also from one version to the next and back,
// without a moment in which it lets something through; its uninstall needs nobody's signature and leaves
// nothing that blocks (ruling 27).
func TestSealed(t *testing.T) {
	l := newSealedLab(t)
	all := files(t, l.before(), "charts/fairway")
	all["clusters/main/fairway.yaml"] = l.valuesOf()
	l.land("Install Fairway", all)
	l.seal()
	var first string
	attack := l.attack()
	for _, chapter := range []struct {
		name string
		tell func(*sealedLab)
	}{
		{"a change of Git is admitted", func(l *sealedLab) { first = l.changes() }},
		{"a version that nobody approved is refused", (*sealedLab).refusesUnapproved},
		{"an approved one is an upgrade", (*sealedLab).upgrades},
		{"going back needs a signature", func(l *sealedLab) { l.goesBack(first) }},
		{"forward again", func(l *sealedLab) { l.upgradesAgain() }},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			l.as(t)
			chapter.tell(l)
		}) {
			return // what follows would fail for that alone
		}
	}
	attack()
	t.Run("Ruling27Uninstall", func(t *testing.T) {
		l.as(t)
		if _, err := l.helm("uninstall", "fairway", "--wait", "--timeout", "2m"); err != nil {
			t.Fatal(err)
		}
		l.unblocked()
		l.gone()
		l.unblocked()
		l.freed()
	})
}

// attack tries to change the shop all the time until the end is asked for, and holds then that nothing was
// let through. It says how many tries no gate answered.
func (l *sealedLab) attack() (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(l.t.Context()))
	var tries, unanswered atomic.Int64
	var done sync.WaitGroup
	t := l.t
	done.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			tries.Add(1)
			switch err := l.change(ctx, metav1.DryRunAll); {
			case err == nil:
				t.Error("a change that no commit holds was admitted")
			case ctx.Err() == nil && !strings.Contains(err.Error(), "denied the request"):
				unanswered.Add(1)
			}
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	wait := sync.OnceFunc(func() { stop(); done.Wait() })
	t.Cleanup(wait) // where a chapter failed
	return func() {
		wait()
		t.Logf("%d forged changes, none admitted, %d of them refused without a gate's answer", tries.Load(), unanswered.Load())
	}
}

// changes delivers the first commit after the seal. What it renders may go when a later one does not: what was
// there before, and was never delivered since, is not known to be Git's.
func (l *sealedLab) changes() string {
	l.t.Helper()
	commit := l.land("Let nodes be watched", map[string]string{"charts/fairway/templates/old.yaml": strings.ReplaceAll(oldRole, "[list]", "[list, watch]")})
	l.until("a change is admitted", func(context.Context) error { return l.deliver("upgrade") })
	l.runs(versionBefore)
	return commit
}

// next is the chart of this tree at the place of the one before; a file that is no more is empty.
func (l *sealedLab) next() map[string]string {
	l.t.Helper()
	change := files(l.t, chartFolder, "charts/fairway")
	for path := range files(l.t, filepath.Join(l.shop.Clone(), "charts/fairway"), "charts/fairway") {
		if _, has := change[path]; !has {
			change[path] = ""
		}
	}
	return change
}

func (l *sealedLab) refusesUnapproved() {
	_, err := l.helm("upgrade", "fairway", chartFolder, "-f", l.values, "--server-side=true", "--timeout", "1m")
	if err == nil || !strings.Contains(err.Error(), "denied the request") || !strings.Contains(err.Error(), "FW2") {
		l.t.Errorf("it was not refused by a gate for its content: %v", err)
	}
	l.enforced()
	l.holds(versionBefore)
	// No gate judges Fairway's own namespace, and Helm goes on after a refusal: what it could is of the new
	// version. What Git holds puts that right.
	if err := l.deliver("upgrade"); err != nil {
		l.t.Error(err)
	}
	l.runs(versionBefore)
}

func (l *sealedLab) upgrades() {
	l.land("Upgrade Fairway", l.next())
	l.upgradesAgain()
}

func (l *sealedLab) upgradesAgain() {
	l.until("the next version is admitted", func(context.Context) error { return l.deliver("upgrade") })
	l.runs(chartVersion(l.t, chartFolder))
}

// goesBack takes the release back to the version before, as docs/operations.md says.
func (l *sealedLab) goesBack(first string) {
	if _, err := l.helm("rollback", "fairway", "2", "--wait", "--timeout", "1m"); err == nil || !strings.Contains(err.Error(), "going back") {
		l.t.Errorf("it went back with nobody's signature: %v", err)
	}
	namespace, err := l.typed.CoreV1().Namespaces().Get(l.t.Context(), own, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.fairway("rollback", first, "-C", l.shop.Clone(), "-n", own, "--namespace-uid", string(namespace.UID), "--repository", l.shop.Repo.URL(),
		"--path", "charts/fairway", "--source", "fairway", "--reason", "the upgrade failed", "--ticket", "INC-1", "--key", l.shop.Key("paula"), "--as", "paula")
	l.until("helm goes back", func(context.Context) error {
		_, err := l.helm("rollback", "fairway", "2", "--wait", "--timeout", "2m")
		return err
	})
	l.runs(versionBefore)
}
