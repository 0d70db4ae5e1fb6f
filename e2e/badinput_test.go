package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// badContent is content of an approved commit that cannot be rendered, each in a namespace of its own.
var badContent = []struct {
	name   string // of the namespace, and of the folder below bad
	render string
	files  map[string]string
	says   string // in the condition, in the Event, and on the command line
}{
	{"unknown-kind", "Plain", map[string]string{"thing.yaml": "apiVersion: nobody.example/v1\nkind: Thing\nmetadata: {name: x}\n"}, "nobody knows whether a Thing lives in a namespace"},
	{"broken-yaml", "Plain", map[string]string{"x.yaml": "apiVersion: v1\nkind: [ConfigMap\n"}, "is not well-formed YAML"},
	{"too-large", "Plain", map[string]string{"x.yaml": "# " + strings.Repeat("large ", 2<<20)}, "exceeds its limit"},
	{"t34-outside", "Kustomize", map[string]string{"kustomization.yaml": "resources: [../../../../../../etc]\n"}, "is no path inside"},
	{"t34-remote", "Kustomize", map[string]string{"kustomization.yaml": "resources: [\"https://example.com/x.yaml\"]\n"}, "names something outside"},
	{"t34-plugin", "Kustomize", map[string]string{"kustomization.yaml": "generators: [run.yaml]\n", "run.yaml": "apiVersion: x/v1\nkind: Exec\nmetadata: {name: x}\n"}, "generators"},
}

// badRepositories go bad while they are in use, and heal when what was wrong with them is put right.
var badRepositories = []struct {
	name           string
	spoil, mend    func(l *serveLab, dir string)
	kind           string // of the condition of the Repository
	status         metav1.ConditionStatus
	reason, healed string
}{
	{"unreachable", func(l *serveLab, dir string) { l.move(dir, dir+".away") }, func(l *serveLab, dir string) { l.move(dir+".away", dir) },
		v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, v1alpha1.ReasonFetched},
	{"rewritten", func(l *serveLab, dir string) {
		l.gitIn(dir, "", "update-ref", "refs/heads/aside", "main")
		tree := l.gitIn(dir, "", "rev-parse", "main^{tree}")
		l.gitIn(dir, "", "update-ref", "refs/heads/main", l.gitIn(dir, "another beginning", "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree))
	}, func(l *serveLab, dir string) { l.gitIn(dir, "", "update-ref", "refs/heads/main", "aside") },
		v1alpha1.ConditionRewound, metav1.ConditionTrue, v1alpha1.ReasonHistoryRewritten, v1alpha1.ReasonFetched},
	{"missing-object", func(l *serveLab, dir string) {
		l.commitOn(dir, "a blob that gets lost")
		blob := l.gitIn(dir, "", "rev-parse", "main:lost.txt")
		l.move(filepath.Join(dir, "objects", blob[:2], blob[2:]), filepath.Join(dir, "lost"))
	}, func(l *serveLab, dir string) {
		blob := l.gitIn(dir, "", "ls-tree", "--object-only", "main", "lost.txt")
		l.move(filepath.Join(dir, "lost"), filepath.Join(dir, "objects", blob[:2], blob[2:]))
	}, v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, v1alpha1.ReasonFetched},
	{"over-limits", func(l *serveLab, dir string) {
		l.gitIn(dir, "", "config", "core.compression", "0") // it cannot be packed, and nobody need try
		l.commitOn(dir, noise(101<<20))
	}, func(l *serveLab, dir string) { l.gitIn(dir, "", "update-ref", "refs/heads/main", "main~1") },
		v1alpha1.ConditionFetched, metav1.ConditionFalse, v1alpha1.ReasonOverLimit, v1alpha1.ReasonFetched},
}

// TestBadInput: whatever is wrong with one input is said in one clear sentence by the command line, in a
// condition and in an Event; what may heal is Unknown and heals; the other sources go on all the while; and
// a restart loses nothing.
func TestBadInput(t *testing.T) {
	l := newServeLab(t)
	l.judged("shop", "tier", l.tip(), v1alpha1.VerdictAllow)
	files := map[string]string{story.WebPath: story.Web(2, "", "1.1")}
	for _, c := range badContent {
		for name, text := range c.files {
			files["bad/"+c.name+"/"+name] = text
		}
		l.bindTo(c.name, "apps", "bad/"+c.name, c.render)
	}
	merge := l.land("Much that is wrong\n\nTicket: SHOP-30", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Web(2, "", "1.1"), merge))
	for _, c := range badContent {
		t.Run(c.name, func(t *testing.T) {
			here := *l
			here.t = t
			here.contentIsBad(c.name, merge, c.says)
		})
	}
	for _, c := range badRepositories {
		t.Run(c.name, func(t *testing.T) {
			here := *l
			here.t = t
			dir := here.repository(c.name)
			good := here.gitIn(dir, "", "rev-parse", "main")
			c.spoil(&here, dir)
			problem := here.condition("Repository", "", c.name, c.kind, c.status, c.reason)
			here.event(c.reason, "Repository", c.name, "", "")
			here.unproven(c.name, dir)
			l.admitted(here.deliver(story.Banner, merge)) // the others go on
			c.mend(&here, dir)
			here.condition("Repository", "", c.name, c.kind, opposite(c.status), c.healed)
			here.judged(c.name, "tier", good, v1alpha1.VerdictAllow) // what came since touches nothing that is rendered
			if problem == "" || strings.Contains(problem, "\n") {
				t.Errorf("the condition says %q, want one sentence", problem)
			}
		})
	}
	t.Run("bad-key", func(t *testing.T) {
		here := *l
		here.t = t
		here.keyIsBad()
	})
	t.Run("restart", func(t *testing.T) {
		here := *l
		here.t = t
		defer func() { l.program = here.program }()
		if err := here.program.Kill(); err != nil {
			t.Fatal(err)
		}
		here.serve()
		here.admitted(here.deliver(story.Web(2, "", "1.1"), merge))
		for _, c := range badContent {
			here.judged(c.name, "tier", merge, v1alpha1.VerdictDeny)
		}
		here.judged("unreachable", "tier", here.gitIn(filepath.Join(here.dir, "unreachable.git"), "", "rev-parse", "main"), v1alpha1.VerdictAllow)
	})
}

// contentIsBad: it is said everywhere, and nothing comes of it.
func (l *serveLab) contentIsBad(name, merge, says string) {
	l.t.Helper()
	if got := l.judged(name, "tier", merge, v1alpha1.VerdictDeny); !strings.Contains(got.Message, says) {
		l.t.Errorf("the status says %q, want %q", got.Message, says)
	}
	l.event("JudgedDeny", "TierBinding", "tier", name, says)
	config := l.kubeconfig("admin")
	if err := l.shop.Fetch(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	out, code := l.command("check", merge, "-C", l.shop.Clone(), "-n", name, "--kubeconfig", config, "--repository", "apps")
	if code != 1 || !strings.Contains(out, says) || strings.Count(strings.TrimSpace(out), "\n") > 3 {
		l.t.Errorf("check ends with %d and says %q, want 1 and %q in a few lines", code, out, says)
	}
	note := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: "+name+"}\n")
	l.refused(l.apply("deployer", "deployer", l.stampedIn(note, merge, name)), "denied the request")
}

func (l *serveLab) stampedIn(object *unstructured.Unstructured, commit, source string) *unstructured.Unstructured {
	object.SetAnnotations(map[string]string{"fairway.dev/repository": "apps", "fairway.dev/commit": commit, "fairway.dev/source": source})
	return object
}

// repository makes a remote of one signed commit, which is its baseline, registers it, binds a namespace
// of its name to it, and returns its folder when the namespace is proven.
func (l *serveLab) repository(name string) string {
	l.t.Helper()
	dir := filepath.Join(l.dir, name+".git")
	l.gitIn(l.dir, "", "clone", "--quiet", "--bare", "--single-branch", "--branch=main", "--no-tags", l.shop.Repo.URL(), dir)
	tip := l.gitIn(dir, "", "rev-parse", "main")
	l.admitted(l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(
		"apiVersion: fairway.dev/v1alpha1\nkind: Repository\nmetadata: {name: %s}\nspec: {url: \"file://%s\", branches: [main], baseline: %s}\n", name, dir, tip))))
	l.bindTo(name, name, "shop/production", "Plain")
	l.judged(name, "tier", tip, v1alpha1.VerdictAllow)
	return dir
}

// bindTo makes a namespace of production with one source.
func (l *serveLab) bindTo(namespace, repository, path, render string) {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n")))
	binding := manifest(l.t, fmt.Sprintf(`apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: %s}
spec:
  tier: production
  owners: [shop]
  sources:
  - {name: %s, repository: %s, branch: main, path: %s, render: %s, fieldManager: deployer}
`, namespace, namespace, repository, path, render))
	l.until("the binding of "+namespace+" is taken", func(context.Context) error { return l.apply("admin", "admin", binding) })
}

// unproven holds that nothing of a repository is admitted that was not proven before, and that an Event
// says why.
func (l *serveLab) unproven(name, dir string) {
	l.t.Helper()
	l.until("the source is not proven", func(ctx context.Context) error {
		b, err := l.binding(ctx, name, "tier")
		if err != nil {
			return err
		}
		if len(b.Status.Sources) != 1 || b.Status.Sources[0].Verdict == v1alpha1.VerdictAllow || b.Status.Sources[0].Message == "" {
			return fmt.Errorf("the status is %+v", b.Status.Sources)
		}
		return nil
	})
	b, err := l.binding(l.t.Context(), name, "tier")
	if err != nil {
		l.t.Fatal(err)
	}
	want := v1alpha1.VerdictUnknown
	if name == "rewritten" { // it can be read, and says something else
		want = v1alpha1.VerdictDeny
	}
	if got := b.Status.Sources[0].Verdict; got != want {
		l.t.Errorf("the verdict is %s, want %s", got, want)
	}
	l.event("Judged"+string(want), "TierBinding", "tier", name, "")
	config := l.kubeconfig("admin")
	clone := filepath.Join(l.dir, name+"-clone")
	out, code := l.command("check", "main", "-C", clone, "-n", name, "--kubeconfig", config)
	if code != 2 || strings.Count(strings.TrimSpace(out), "\n") > 0 || !strings.Contains(out, clone) {
		l.t.Errorf("check without a clone ends with %d and says %q, want 2 and one sentence about %s", code, out, clone)
	}
}

// keyIsBad: one key that cannot be read counts for nobody; its owner's others and everybody else's count.
func (l *serveLab) keyIsBad() {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", manifest(l.t, `apiVersion: fairway.dev/v1alpha1
kind: Team
metadata: {name: broken}
spec:
  principals:
  - {name: bert, emails: [bert@example.com], keys: [{format: SSH, publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl"}]}
`)))
	message := l.condition("Team", "", "broken", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalid)
	if !strings.Contains(message, "key 1 of bert") {
		l.t.Errorf("the condition says %q, want which key of whom", message)
	}
	l.event(v1alpha1.ReasonInvalid, "Team", "broken", "", "key 1 of bert")
	out, code := l.command("lint", "--kubeconfig", l.kubeconfig("admin"))
	if code != 1 || !strings.Contains(out, "key 1 of bert") {
		l.t.Errorf("lint ends with %d and says %q, want 1 and which key of whom", code, out)
	}
	l.condition("Team", "", "shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonCompiled)
}

func opposite(s metav1.ConditionStatus) metav1.ConditionStatus {
	if s == metav1.ConditionTrue {
		return metav1.ConditionFalse
	}
	return metav1.ConditionTrue
}

// condition awaits a condition of one of Fairway's kinds and returns its message.
func (l *serveLab) condition(kind, namespace, name, condition string, status metav1.ConditionStatus, reason string) string {
	l.t.Helper()
	var message string
	l.until(fmt.Sprintf("%s %s: %s is %s", kind, name, condition, status), func(ctx context.Context) error {
		object, err := resource(l.as("admin"), kind, namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		var body struct {
			Status struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		convert(l.t, object, &body)
		c := meta.FindStatusCondition(body.Status.Conditions, condition)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("it is %+v", c)
		}
		message = c.Message
		return nil
	})
	return message
}

// event awaits an Event about an object that says so; the namespace is empty for one of the cluster's.
func (l *serveLab) event(reason, kind, name, namespace, says string) {
	l.t.Helper()
	l.until(fmt.Sprintf("an Event %s about %s %s/%s with %q", reason, kind, namespace, name, says), func(ctx context.Context) error {
		events, err := l.typed.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == reason && e.Regarding.Kind == kind && e.Regarding.Name == name && strings.Contains(e.Note, says) {
				return nil
			}
		}
		return fmt.Errorf("of %d Events none", len(events.Items))
	})
}

// command runs a command of the program and returns all that it printed, and its exit code.
func (l *serveLab) command(args ...string) (string, int) {
	l.t.Helper()
	path, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := exec.CommandContext(l.t.Context(), path, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	if exit == nil {
		return string(out), 0
	}
	return string(out), exit.ExitCode()
}

// commitOn puts a commit on main of a remote, with one new file, as somebody pushes without review.
func (l *serveLab) commitOn(dir, content string) {
	l.t.Helper()
	blob := l.gitIn(dir, content, "hash-object", "-w", "--stdin")
	tree := l.gitIn(dir, l.gitIn(dir, "", "ls-tree", "main")+"\n100644 blob "+blob+"\tlost.txt\n", "mktree")
	commit := l.gitIn(dir, "", "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree, "-p", "main", "-m", "A file")
	l.gitIn(dir, "", "update-ref", "refs/heads/main", commit)
}

// noise is text that does not pack.
func noise(size int) string {
	text := make([]byte, size)
	_, _ = rand.Read(text) // never fails
	return string(text)
}

func (l *serveLab) move(from, to string) {
	l.t.Helper()
	if err := os.Rename(from, to); err != nil {
		l.t.Fatal(err)
	}
}
