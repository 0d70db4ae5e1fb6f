package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// atticBinding puts a namespace that Argo CD delivers to into a tier; filled in is which.
const atticBinding = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: attic}
spec:
  tier: %s
  owners: [shop]
  sources:
  - {name: attic, repository: apps, branch: main, path: attic, render: Plain, via: {argoCD: {application: argocd/attic}}}
`

// atticNote is a ConfigMap in that namespace; filled in are its name and data.
const atticNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: %s, namespace: attic}
data: {%s}
`

// atticFiles are what lies in its path.
func atticFiles() map[string]string {
	return map[string]string{
		"attic/old.yaml":    fmt.Sprintf(atticNote, "old", `kept: "1", dropped: "1"`),
		"attic/byhand.yaml": fmt.Sprintf(atticNote, "byhand", `kept: "1", dropped: "1"`),
	}
}

func (l *argoLab) atticApplication(options string) string {
	return strings.Replace(l.named("attic", options, "attic"), "namespace: shop}", "namespace: attic}", 1)
}

// before: a namespace is free, kubectl and then Argo CD deliver to it as they do by default, on the client side, and
// only then its tier is gated.
func (l *argoLab) before() {
	l.by("admin", "apiVersion: v1\nkind: Namespace\nmetadata: {name: attic}\n")
	l.until("the namespace is known", func(context.Context) error {
		return l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(atticBinding, "sandbox")))
	})
	l.until("it is free", func(context.Context) error {
		_, err := l.kubectl("sara", fmt.Sprintf(atticNote, "byhand", `kept: "0", dropped: "1"`), "apply", "-f", "-")
		return err
	})
	l.by("admin", l.atticApplication("CreateNamespace=false"))
	l.syncedOf("attic", l.tip())
	l.by("admin", fmt.Sprintf(atticBinding, "production"))
}

// migrates: told to apply on the server side, Argo CD takes over what it has applied on the client side, and what Git
// drops goes. What kubectl had applied before that stays kubectl's, and so does what Git drops of it.
func (l *argoLab) migrates() {
	l.fromGit(map[string]string{"attic": l.atticApplication("ServerSideApply=true, ClientSideApplyMigration=false")})
	merge := l.land("Tidy the attic\n\nTicket: SHOP-88", map[string]string{
		"attic/old.yaml": fmt.Sprintf(atticNote, "old", `kept: "2"`), "attic/byhand.yaml": fmt.Sprintf(atticNote, "byhand", `kept: "2"`),
	})
	l.judged("attic", "tier", merge, v1alpha1.VerdictAllow)
	l.syncedOf("attic", merge)
	for name, stays := range map[string]bool{"old": false, "byhand": true} {
		live, err := l.typed.CoreV1().ConfigMaps("attic").Get(l.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
		var managers []string
		for _, e := range live.ManagedFields {
			managers = append(managers, e.Manager+" "+string(e.Operation))
		}
		if _, there := live.Data["dropped"]; there != stays || live.Data["kept"] != "2" {
			l.t.Errorf("%s holds %v, by %v", name, live.Data, managers)
		}
	}
}

// cascades: an Application with the finalizer that takes along what it delivered takes nothing along that Git has
// (T-21).
func (l *argoLab) cascades() {
	ctx := l.t.Context()
	text := l.named("options", "ServerSideApply=true", "shop/options")
	l.by("admin", strings.Replace(text, "namespace: argocd}", "namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}", 1))
	l.awaitsOf("options", "it is in sync", func(s argoState) bool { return s.Status.Sync.Status == "Synced" })
	at := l.on("admin", manifest(l.t, shopApplication))
	l.admitted(at.Delete(ctx, "options", metav1.DeleteOptions{}))
	l.awaitsOf("options", "its deletion fails", func(s argoState) bool {
		return slices.ContainsFunc(s.Status.Conditions, func(c struct{ Type, Message string }) bool {
			return c.Type == "DeletionError" && strings.Contains(c.Message, "StillInGit")
		})
	})
	if _, err := l.typed.CoreV1().ConfigMaps("shop").Get(ctx, "option-a", metav1.GetOptions{}); err != nil {
		l.t.Errorf("it took along what Git has: %v", err)
	}
	l.land("Empty it\n\nTicket: SHOP-89", map[string]string{"shop/options/a.yaml": "", "shop/options/b.yaml": "", "shop/options/README.md": "Nothing.\n"})
	l.until("the Application is gone", func(ctx context.Context) error {
		_, err := at.Get(ctx, "options", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
}

// withdrawn: what was shown as a difference while it was approved is refused once the approval was taken back, and the
// refusal says what is missing. The first wave goes by the operation's revision: no result names one yet.
func (l *argoLab) withdrawn() {
	ctx := l.t.Context()
	text := l.named("options", "ServerSideApply=true", "shop/options")
	l.by("admin", strings.Replace(text, "    automated: {prune: true, selfHeal: true}\n", "", 1))
	l.presses("options")
	l.syncedOf("options", l.tip())
	merge, head, err := l.shop.Land(ctx, "sara", "Think again\n\nTicket: SHOP-90", map[string]string{"shop/options/a.yaml": fmt.Sprintf(hookNote, "option-a", "", "7")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.approve(head, "sam", "paula")
	l.stands("options", merge, v1alpha1.VerdictAllow)
	s := l.awaitsOf("options", "the difference is shown", func(s argoState) bool {
		return s.Status.Sync.Revision == merge && s.Status.Sync.Status == "OutOfSync"
	})
	if err := s.broken(); err != nil {
		l.t.Errorf("it says that it is broken: %v", err)
	}
	if err := l.shop.Fetch(ctx); err != nil {
		l.t.Fatal(err)
	}
	l.fairway("approve", head, "--withdraw", "-C", l.shop.Clone(), "--repository", l.shop.Repo.URL(), "--key", l.shop.Key("sam"), "--as", "sam")
	l.stands("options", merge, v1alpha1.VerdictPending)
	l.presses("options")
	l.fails("options", "NeedsApproval", "ConfigMap shop/option-a")
	l.approve(head, "sam")
	l.stands("options", merge, v1alpha1.VerdictAllow)
	l.presses("options")
	l.syncedOf("options", merge)
	l.ends("options")
}

// stands awaits a verdict on a commit, of one source of the shop.
func (l *argoLab) stands(source, commit string, want v1alpha1.JudgedVerdict) {
	l.t.Helper()
	l.until(fmt.Sprintf("the verdict %s on %.12s of %s", want, commit, source), func(ctx context.Context) error {
		b, err := l.binding(ctx, "shop", "tier")
		if err != nil {
			return err
		}
		for _, s := range b.Status.Sources {
			if s.Name == source && s.Commit == commit && s.Verdict == want {
				return nil
			}
		}
		return fmt.Errorf("the status is %+v", b.Status.Sources)
	})
}
