package e2e

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestServe tells one story on a real cluster; its chapters build on each other.
func TestServe(t *testing.T) {
	l := newServeLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"a sandbox is free", sandboxIsFree},
		{"production admits what is proven", productionAdmitsWhatIsProven},
	} {
		if !t.Run(chapter.name, func(t *testing.T) { here := *l; here.t = t; chapter.tell(&here); l.program = here.program }) {
			return // what follows would fail for that alone
		}
	}
}

func sandboxIsFree(l *serveLab) {
	note := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: play}\ndata: {a: b}\n")
	if _, err := l.on("sara", note).Create(l.t.Context(), note, metav1.CreateOptions{}); err != nil {
		l.t.Fatalf("creating in the sandbox: %v", err)
	}
	l.admitted(l.on("sam", note).Delete(l.t.Context(), "note", metav1.DeleteOptions{}))
}

func productionAdmitsWhatIsProven(l *serveLab) {
	first, err := l.shop.Tip(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.admitted(l.deliver(story.Web(2, "", "1.0"), first))

	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Sell more\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(3, "", "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	// Nobody has looked at it: first the pipeline is told to wait for the proof (ruling 26), which it
	// does by itself, and then that approvals are missing, and whose.
	l.refused(l.deliver(story.Web(3, "", "1.1"), merge), "sam")
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)

	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Web(3, "", "1.1"), merge))
	l.until("three pods run", func(ctx context.Context) error {
		pods, err := l.pods(ctx)
		if err == nil && len(pods) != 3 {
			err = fmt.Errorf("there are %d pods", len(pods))
		}
		return err
	})
}
