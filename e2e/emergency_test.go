package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// emergencyLab is a sealed install that keeps its configuration, on an API server with the policies of the
// chart and the static bundle. The page's commands are typed in it.
type emergencyLab struct {
	*serveLab
	audit string   // log of the API server
	said  []string // the page's commands, in turn
	glass string   // those of break-glass
}

// TestTheEmergencyPage types what docs/emergency.md says, as the person that it says, and holds that nobody else
// can and that whoever does is heard.
func TestTheEmergencyPage(t *testing.T) {
	l := newEmergencyLab(t)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.seal()
	for _, chapter := range []struct {
		name string
		tell func(*emergencyLab)
	}{
		{"break-glass by two people", (*emergencyLab).glassIsBroken},
		{"nobody else may", (*emergencyLab).nobodyElse},
		{"Fairway stands aside", (*emergencyLab).standsAside},
		{"everybody learns of it", (*emergencyLab).isHeard},
		{"Fairway comes back, and finds what was done", (*emergencyLab).comesBack},
		{"a policy that is gone is a gap", (*emergencyLab).policiesAreMissed},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			here, lab := *l, *l.serveLab
			lab.t, here.serveLab = t, &lab
			chapter.tell(&here)
		}) {
			return // what follows would fail for that alone
		}
	}
}

// indented is a block of commands, also within a list.
var indented = regexp.MustCompile("(?ms)^( *)```(sh|console|yaml)\n(.*?)^ *```$")

func newEmergencyLab(t *testing.T) *emergencyLab {
	t.Helper()
	page, err := os.ReadFile("../docs/emergency.md")
	if err != nil {
		t.Fatal(err)
	}
	l, role := &emergencyLab{}, ""
	for _, b := range indented.FindAllStringSubmatch(string(page), -1) {
		text := strings.ReplaceAll("\n"+b[3], "\n"+b[1], "\n")
		switch b[2] {
		case "sh":
			l.said = append(l.said, text)
		case "console":
			l.glass += strings.ReplaceAll(text, "\n$ ", "\n")
		case "yaml":
			role = text
		}
	}
	if len(l.said) != 3 || l.glass == "" || role == "" {
		t.Fatalf("the page has other blocks than it had: %d commands", len(l.said))
	}
	args, audit := staticGuards(t)
	l.audit = audit
	l.serveLab = newServeLabOn(t, controlplane.Options{ControllerManager: true, ExtraAPIServerArgs: args}, func(s *serveLab) {
		l.before(s, role)
		s.more = append(s.more, "--audit-interval", "1h") // what is found sooner is found by the sweep
		selfGuarded(s)
	})
	return l
}

// before is what the page has people prepare, and the policies that make it necessary.
func (l *emergencyLab) before(s *serveLab, role string) {
	s.t.Helper()
	config, err := s.cluster.ConfigFor("root", emergencyGroup, "system:masters")
	if err != nil {
		s.t.Fatal(err)
	}
	root, err := dynamic.NewForConfig(config)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, object := range manifests(s.t, "../config/policies") {
		s.create(root, &object)
	}
	s.create(root, manifest(s.t, role))
	s.create(root, manifest(s.t, `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: fairway-emergency}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: fairway-emergency}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: oncall}]
`))
	oncall, err := s.cluster.ConfigFor("oncall")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := controlplane.WriteKubeconfig(filepath.Join(s.dir, "oncall.kubeconfig"), oncall); err != nil {
		s.t.Fatal(err)
	}
}

// types runs a block of the page in a shell, with a kubeconfig.
func (l *emergencyLab) types(script, kubeconfig string) (string, error) {
	l.t.Helper()
	binaries, err := controlplane.Binaries(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	shell := exec.CommandContext(l.t.Context(), "bash", "-euo", "pipefail", "-c", script)
	shell.Dir = l.dir
	shell.Env = append(os.Environ(), "PATH="+binaries+":"+fairway(l.t)+":"+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig, "HOME="+l.dir, "USER=sara")
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	err = shell.Run()
	return out.String(), err
}

func (l *emergencyLab) oncall() string { return filepath.Join(l.dir, "oncall.kubeconfig") }

// change is what nobody has proven: what an emergency is for.
func (l *emergencyLab) change(user, text string) error {
	banner := manifest(l.t, story.Banner)
	_, err := l.on(user, banner).Patch(l.t.Context(), "banner", types.MergePatchType, []byte(`{"data":{"text":"`+text+`"}}`), metav1.PatchOptions{})
	return err
}

// glassIsBroken: the first way out, which opens nothing but what two people signed for.
func (l *emergencyLab) glassIsBroken() {
	for file, who := range map[string]string{"sara.key": "sara", "pete.key": "paula"} {
		key, err := os.ReadFile(l.shop.Key(who))
		if err != nil {
			l.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.dir, file), key, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	const sara = "sara" // the cluster's name for her, as her Team says
	hand := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hotfix, namespace: shop}\ndata: {a: b}\n")
	create := func() error {
		_, err := l.on(sara, hand).Create(l.t.Context(), hand, metav1.CreateOptions{})
		return err
	}
	l.refused(create(), "no proof speaks of")
	if out, err := l.types(strings.ReplaceAll(l.glass, "sara@example.com", sara), l.kubeconfig(sara)); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	l.until("the glass is broken", func(context.Context) error { return create() })
	l.event("BreakGlassUsed", "TierBinding", "tier", "shop", "")
}

// nobodyElse: all rights of RBAC are not enough, and the right to impersonate the group is needed.
func (l *emergencyLab) nobodyElse() {
	mallory := l.kubeconfig("mallory") // of system:masters
	plain := strings.NewReplacer(`--as "$USER" --as-group fairway:emergency --as-group system:masters`, "").Replace
	for i, script := range l.said {
		want := []string{"fairway:emergency", "kept by Fairway alone", ""}[i]
		if want == "" {
			continue // there is no Lease to delete
		}
		if out, err := l.types(plain(script), mallory); err == nil || !strings.Contains(out, want) {
			l.t.Errorf("without the group: %v\n%s", err, out)
		}
		nobody, err := l.cluster.ConfigFor("nobody")
		if err != nil {
			l.t.Fatal(err)
		}
		path := filepath.Join(l.dir, "nobody.kubeconfig")
		if err := controlplane.WriteKubeconfig(path, nobody); err != nil {
			l.t.Fatal(err)
		}
		// kubectl asks for the API's schema first, and is refused that already.
		refusal := []string{"failed to download openapi", "cannot impersonate"}[i]
		if out, err := l.types(script, path); err == nil || !strings.Contains(out, refusal) {
			l.t.Errorf("without the right to impersonate: %v\n%s", err, out)
		}
		if out, err := l.types(plain(script), l.oncall()); err == nil || !strings.Contains(out, "orbidden") {
			l.t.Errorf("on call, but not as the group: %v\n%s", err, out)
		}
		prover := strings.ReplaceAll(script, `--as "$USER"`, "--as system:serviceaccount:fairway-system:fairway-prover")
		if out, err := l.types(prover, l.oncall()); err == nil || !strings.Contains(out, refusal) {
			l.t.Errorf("on call, but in Fairway's own name: %v\n%s", err, out)
		}
	}
	if _, err := l.typed.CoordinationV1().Leases("fairway-system").Get(l.t.Context(), "fairway-emergency", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		l.t.Errorf("somebody declared an emergency: %v", err)
	}
	if _, err := l.hookConfig(l.t.Context()); err != nil {
		l.t.Error(err)
	}
	l.refused(l.change("mallory", "spring"), "fairway.dev")
}

// standsAside: the page's two steps, after which anybody with rights in the cluster changes anything.
func (l *emergencyLab) standsAside() {
	l.enforces(1) // before that it is not known
	for _, script := range l.said[:2] {
		if out, err := l.types(script, l.oncall()); err != nil {
			l.t.Fatalf("%v\n%s", err, out)
		}
	}
	l.until("the API server asks nobody", func(context.Context) error { return l.change("sara", "emergency") })
	l.enforces(0)
	// The canary sings every 15 s, the guard looks every 5 s: it has looked since.
	if _, err := l.hookConfig(l.t.Context()); err == nil {
		l.t.Error("the configuration was made again in an emergency")
	}
}

// enforces awaits what the canary says.
func (l *emergencyLab) enforces(is float64) {
	l.t.Helper()
	l.until(fmt.Sprintf("the canary says %v", is), func(ctx context.Context) error {
		if up, err := l.metric(ctx, "fairway_enforcement_up", ""); err != nil || up != is {
			return fmt.Errorf("enforcement is %v, %w", up, err)
		}
		return nil
	})
}

// recorded is what is of interest in an entry of an audit log.
type recorded struct {
	Verb             string
	User             struct{ Username string }
	ImpersonatedUser struct{ Username string }
	ObjectRef        struct{ Resource, Name string }
	Annotations      map[string]string
}

// isHeard: the page's list of who learns of it.
func (l *emergencyLab) isHeard() {
	l.until("the guard knows", func(ctx context.Context) error {
		if is, err := l.metric(ctx, "fairway_emergency", ""); err != nil || is != 1 {
			return fmt.Errorf("fairway_emergency is %v, %w", is, err)
		}
		return nil
	})
	l.event("Emergency", "TierBinding", v1alpha1.ClusterBindingName, "fairway-system", "an emergency keeps Fairway")
	if !strings.Contains(l.logged(), "an emergency keeps Fairway from its webhook configuration") {
		l.t.Error("the log says nothing")
	}
	l.until("the condition tells of it", func(ctx context.Context) error {
		c, err := l.coverageGap(ctx)
		if err == nil && !strings.Contains(c.Message, "there is no webhook configuration fairway") {
			err = errors.New(c.Message)
		}
		return err
	})
	l.until("the audit log has both names", func(context.Context) error {
		raw, err := os.ReadFile(l.audit)
		if err != nil {
			return err
		}
		left := map[string]string{"leases": "fairway-emergency/emergency", "validatingwebhookconfigurations": "fairway-webhook/emergency"}
		for line := range bytes.Lines(raw) {
			var e recorded
			if json.Unmarshal(line, &e) != nil {
				continue // it is being written
			}
			key := left[e.ObjectRef.Resource]
			if key != "" && e.User.Username == "oncall" && e.ImpersonatedUser.Username == "sara" && e.Annotations[key] == "sara" {
				delete(left, e.ObjectRef.Resource)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("it has nothing of %v", left)
		}
		return nil
	})
}

func (l *emergencyLab) logged() string {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.cluster.Dir, "fairway.log"))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(raw)
}

// comesBack: the page's last step. What was changed meanwhile is found by the sweep: the next audit that
// comes by itself is an hour away.
func (l *emergencyLab) comesBack() {
	if out, err := l.types(l.said[2], l.oncall()); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	l.until("the configuration is there again", func(ctx context.Context) error {
		_, err := l.hookConfig(ctx)
		return err
	})
	l.until("it is asked for", func(context.Context) error {
		if err := l.change("mallory", "again"); err == nil {
			return errors.New("not yet")
		}
		return nil
	})
	l.enforcing(metav1.ConditionFalse, v1alpha1.ReasonUnproven, "banner")
	l.enforces(1)
	if out, code := l.command("audit", "--kubeconfig", l.kubeconfig("admin"), "-n", "shop"); !strings.Contains(out, "banner") {
		l.t.Errorf("fairway audit ends with %d and lists no banner:\n%s", code, out)
	}
}

// policiesAreMissed: T-06, with the install sealed a policy that is gone, and a binding that only warns, stand
// in the condition, until they are back.
func (l *emergencyLab) policiesAreMissed() {
	config, err := l.cluster.ConfigFor("root", emergencyGroup, "system:masters")
	if err != nil {
		l.t.Fatal(err)
	}
	root, err := dynamic.NewForConfig(config)
	if err != nil {
		l.t.Fatal(err)
	}
	says := func(what string, is bool) {
		l.t.Helper()
		l.until(fmt.Sprintf("%q is told: %t", what, is), func(ctx context.Context) error {
			c, err := l.coverageGap(ctx)
			if err == nil && strings.Contains(c.Message, what) != is {
				err = fmt.Errorf("the condition is %s: %s", c.Status, c.Message)
			}
			return err
		})
	}
	const gone, weak = "the ValidatingAdmissionPolicy fairway-mutation is not there", "the ValidatingAdmissionPolicyBinding fairway-keys does not deny everywhere"
	says("fairway-", false)
	for _, o := range manifests(l.t, "../config/policies") {
		to := clientFor(root, o)
		switch {
		case o.GetKind() == "ValidatingAdmissionPolicy" && o.GetName() == "fairway-mutation":
			l.admitted(to.Delete(l.t.Context(), o.GetName(), metav1.DeleteOptions{}))
			says(gone, true)
			l.create(root, &o)
			says(gone, false)
		case o.GetKind() == "ValidatingAdmissionPolicyBinding" && o.GetName() == "fairway-keys":
			patch := func(actions string) {
				_, err := to.Patch(l.t.Context(), o.GetName(), types.MergePatchType, []byte(`{"spec":{"validationActions":[`+actions+`]}}`), metav1.PatchOptions{})
				l.admitted(err)
			}
			patch(`"Warn"`)
			says(weak, true)
			patch(`"Deny","Audit"`)
			says(weak, false)
		}
	}
	for _, changed := range []string{"ValidatingAdmissionPolicy fairway-mutation", "ValidatingAdmissionPolicyBinding fairway-keys"} {
		l.until("an Event names the "+changed, func(ctx context.Context) error {
			list, err := l.typed.EventsV1().Events("fairway-system").List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
				return e.Reason == "PolicyChanged" && strings.Contains(e.Note, "the "+changed+" was")
			}) {
				return errors.New("none does")
			}
			return nil
		})
	}
}
