package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/store"
)

// The attacks that were tried on the whole and that got through at first. Each keeps its name.

// TestRuling22WithdrawnUnderALaterChange takes an approval back before anything was delivered; what was
// landed and proven on top of it must not carry the content in.
func TestRuling22WithdrawnUnderALaterChange(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	second := l.land("sara", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter", "summer", 1)}, "sam", "paula")
	l.look()
	dry := l.apply(story.Web(2, "", "2.0"), second)
	dry.DryRun = true
	l.admits("proven", dry)
	l.approve("sam", first+"^2", func(o *cli.ApproveOptions) { o.Withdraw = true })
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), second), "FW103", first[:7])
}

// TestRuling04RevokedKeyUnderALaterChange: what somebody approved whose key is revoked since is no
// ground that later changes are covered from, unless it was delivered.
func TestRuling04RevokedKeyUnderALaterChange(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.edit("teams.yaml", l.shop.People["sam"].PublicKey()+`"}`, l.shop.People["sam"].PublicKey()+`", revokedAt: 2020-01-01T00:00:00Z}`)
	second := l.land("pete", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter", "summer", 1)}, "sara")
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), second), first[:7])
}

// TestRepositoryMovedToAnotherURL: proofs of the repository that had the name before neither stop those
// of the one that has it now, nor count as what those are covered from.
func TestRepositoryMovedToAnotherURL(t *testing.T) {
	l := newLab(t)
	old := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), old))
	other, err := story.NewShop(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := other.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.edit("repository.yaml", l.shop.Repo.URL(), other.Repo.URL())
	oldBase, _, _ := strings.Cut(strings.SplitN(readWorld(t, l, "repository.yaml"), "baseline: ", 2)[1], "\n")
	l.edit("repository.yaml", oldBase, base)
	l.look()
	l.server = story.NewServer()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), old), "FW206")
	revoked := map[string]bool{}
	for _, p := range l.in.directory.shelf.Index.Of(shopKeyOf()) {
		revoked[p.Commit] = p.Revoked
	}
	if diff := cmp.Diff(map[string]bool{oldBase: true, old: true, base: false}, revoked); diff != "" {
		t.Errorf("which proofs are revoked (-want +got):\n%s", diff)
	}
}

func readWorld(t *testing.T, l *lab, name string) string {
	t.Helper()
	raw, err := os.ReadFile(l.shop.World(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// liveJSON is what the server holds of a manifest, to be edited and put back.
func (l *lab) liveJSON(manifest string) string {
	l.t.Helper()
	review, _, err := l.server.Try(story.Write{Object: manifest, User: "x", Manager: "x", Apply: true})
	if err != nil {
		l.t.Fatal(err)
	}
	if len(review.Request.OldObject.Raw) == 0 {
		l.t.Fatal("the server holds no such object")
	}
	return string(review.Request.OldObject.Raw)
}

// put replaces a live object by a changed form of it.
func (l *lab) put(manifest, user, old, replacement string) story.Write {
	l.t.Helper()
	live := l.liveJSON(manifest)
	if !strings.Contains(live, old) {
		l.t.Fatalf("the live object does not hold %q: %s", old, live)
	}
	return story.Write{Object: strings.Replace(live, old, replacement, 1), User: user, Manager: user}
}

// TestRuling16AnUnapprovedPushFreesNothing: a commit that nobody approved and that no longer renders an
// object does not hand the object's fields to the runtime lanes.
func TestRuling16AnUnapprovedPushFreesNothing(t *testing.T) {
	l := newLab(t)
	l.edit("bindings.yaml", "  owners: [shop]\n  sources:", `  owners: [shop]
  controllers:
  - {name: scaler, users: [scaler], groups: [apps], kinds: [Deployment], fields: [spec.replicas, spec.paused], why: "it scales"}
  sources:`)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	web := story.Web(2, "", "2.0")
	l.admits("proven", l.apply(web, merge))
	scale := l.put(web, "scaler", `"replicas":2`, `"replicas":9`)
	l.refuses(http.StatusForbidden, scale, "would change what Git attests")
	l.admits("controller", l.put(web, "scaler", `"replicas":2`, `"replicas":2,"paused":true`))

	l.push("pete", map[string]string{story.WebPath: ""})
	l.look()
	l.refuses(http.StatusForbidden, l.put(web, "scaler", `"replicas":2`, `"replicas":9`), "would change what Git attests")
}

// TestRuling16ManagedFieldsSayWhatIsAttested: a restart that also takes the engine's entry out of
// managedFields would leave an object of which nothing is attested any more.
func TestRuling16ManagedFieldsSayWhatIsAttested(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	web := story.Web(2, "", "2.0")
	l.admits("proven", l.apply(web, merge))
	const labels = `"metadata":{"labels":{"app":"web"}}`
	restart := l.put(web, "sara", labels, `"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"},"labels":{"app":"web"}}`)
	review, _, err := l.server.Try(restart)
	if err != nil {
		t.Fatal(err)
	}
	if answer := l.ask(review); !answer.Allowed {
		t.Fatalf("a plain restart is refused: %s", said(answer))
	}
	object := string(review.Request.Object.Raw)
	for name, forged := range map[string]string{
		"the entry is gone":  strings.Replace(object, `"operation":"Apply"`, `"operation":"Update"`, 1),
		"a field less in it": strings.Replace(object, `"f:replicas":{},`, "", 1),
		"a field more in it": strings.Replace(object, `"f:replicas":{},`, `"f:replicas":{},"f:paused":{},`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if forged == object {
				t.Fatal("nothing was forged")
			}
			review.Request.Object.Raw = []byte(forged)
			if answer := l.ask(review); answer.Allowed {
				t.Errorf("admitted on lane %q", answer.AuditAnnotations["lane"])
			}
		})
	}
}

func (l *lab) remove(manifest story.Write) (*admissionv1.AdmissionResponse, func()) {
	l.t.Helper()
	var object metav1.PartialObjectMetadata
	if err := yaml.Unmarshal([]byte(manifest.Object), &object); err != nil {
		l.t.Fatal(err)
	}
	review, keep, err := l.server.Delete(object.GroupVersionKind(), object.Namespace, object.Name, manifest.User)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.ask(review), keep
}

// TestT10WhatGitRemovedStaysRemoved: a commit that does nothing but remove an object is delivered by the
// object's deletion; the commit before it, which rendered the object, is then no longer fresh.
func TestT10WhatGitRemovedStaysRemoved(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	banner := l.apply(story.Banner, first)
	l.admits("proven", banner)
	l.land("sara", map[string]string{story.BannerPath: ""}, "sam", "paula")
	l.look()
	answer, keep := l.remove(banner)
	if !answer.Allowed || answer.AuditAnnotations["lane"] != "delete" {
		t.Fatalf("what Git removed cannot be pruned: %s", said(answer))
	}
	keep()
	l.refuses(http.StatusForbidden, banner, "FW211")
}

// TestRuling04DeletionUnderAnOlderPolicy: a judgement that was made before somebody's key was revoked
// deletes nothing.
func TestRuling04DeletionUnderAnOlderPolicy(t *testing.T) {
	l := newLab(t)
	first := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	banner := l.apply(story.Banner, first)
	l.admits("proven", banner)
	l.land("sara", map[string]string{story.BannerPath: ""}, "sam", "paula")
	l.look()
	l.edit("teams.yaml", l.shop.People["sam"].PublicKey()+`"}`, l.shop.People["sam"].PublicKey()+`", revokedAt: 2020-01-01T00:00:00Z}`)
	if err := l.in.directory.load(); err != nil {
		t.Fatal(err)
	}
	if answer, _ := l.remove(banner); answer.Allowed {
		t.Errorf("before the proof was judged again: admitted on lane %q", answer.AuditAnnotations["lane"])
	}
	l.look()
	if answer, _ := l.remove(banner); answer.Allowed {
		t.Errorf("after the proof was judged again: admitted on lane %q", answer.AuditAnnotations["lane"])
	}
}

// TestRuling03AMarkNeverGoesBack: of two requests that were judged at one time, that with the older
// content must not be marked after the newer.
func TestRuling03AMarkNeverGoesBack(t *testing.T) {
	marks, key := store.NewMarks(), shopKeyOf()
	older, newer := change.Delivered{Commit: "a", Height: 1}, change.Delivered{Commit: "b", Height: 2}
	for _, d := range []change.Delivered{older, newer} {
		if err := marks.Deliver(t.Context(), key, d, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := marks.Deliver(t.Context(), key, older, ""); err == nil {
		t.Error("an older commit was marked after a newer one")
	}
	older.Back = true
	if err := marks.Deliver(t.Context(), key, older, ""); err != nil {
		t.Errorf("a roll-back is refused: %v", err)
	}
	if done, _ := marks.Delivered(key); done[0].Commit != "a" {
		t.Errorf("deliveries are %v", done)
	}
}
