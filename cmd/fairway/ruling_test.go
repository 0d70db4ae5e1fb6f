package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
)

// The rulings that a test of one room cannot hold alone, on the whole.

// TestRuling11TwoSourcesVoidEachOther: the proofs of both are good, and neither delivers the object.
func TestRuling11TwoSourcesVoidEachOther(t *testing.T) {
	l := newLab(t)
	l.edit("bindings.yaml", "fieldManager: deployer}", "fieldManager: deployer}\n  - {name: twin, repository: apps, branch: main, path: shop/twin, render: Plain, fieldManager: deployer}")
	first := l.land("sara", map[string]string{"shop/twin/banner.yaml": story.Banner, story.WebPath: story.Web(2, "", "2.0")}, "sam", "paula")
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Banner, first), "twin")
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), first))

	moved := l.land("sara", map[string]string{story.BannerPath: ""}, "sam", "paula")
	l.look()
	banner := l.apply(story.Banner, moved)
	banner.Object = strings.Replace(banner.Object, "fairway.dev/source: shop", "fairway.dev/source: twin", 1)
	l.admits("proven", banner)
}

// TestRuling12And13OnlyEqualBytesAreNoChange: what differs in managedFields alone decides what a later
// request may do, and is nobody's bookkeeping but an engine's.
func TestRuling12And13OnlyEqualBytesAreNoChange(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Banner, merge))
	live := l.liveJSON(story.Banner)
	review, _, err := l.server.Try(story.Write{Object: live, User: "mallory", Manager: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	review.Request.Object.Raw = review.Request.OldObject.Raw
	if answer := l.ask(review); !answer.Allowed || answer.AuditAnnotations["lane"] != "no-op" {
		t.Errorf("an update that changes nothing is refused: %s", said(answer))
	}
	forged := strings.Replace(live, `"manager":"deployer"`, `"manager":"mallory"`, 1)
	if forged == live {
		t.Fatal("nothing was forged")
	}
	review.Request.Object.Raw = []byte(forged)
	if answer := l.ask(review); answer.Allowed {
		t.Errorf("managedFields were rewritten on lane %q", answer.AuditAnnotations["lane"])
	}
}

// TestRuling17WhoeverAsks: neither what Git renders nor what it never delivered may be deleted.
func TestRuling17WhoeverAsks(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	banner := l.apply(story.Banner, merge)
	l.admits("proven", banner)
	for _, user := range []string{"deployer", "sara", "system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller"} {
		banner.User = user
		if answer, _ := l.remove(banner); answer.Allowed {
			t.Errorf("%s may delete what Git renders, on lane %q", user, answer.AuditAnnotations["lane"])
		}
	}
	stray := story.Write{Object: strings.Replace(story.Banner, "name: banner", "name: stray", 1), User: "deployer", Manager: "kubectl"}
	_, keep, err := l.server.Try(stray) // it was there before Fairway
	if err != nil {
		t.Fatal(err)
	}
	keep()
	if answer, _ := l.remove(stray); answer.Allowed {
		t.Errorf("what Git never had was deleted on lane %q", answer.AuditAnnotations["lane"])
	}
}
