package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
)

func version(tag string) map[string]string {
	return map[string]string{story.WebPath: story.Web(2, "", tag)}
}

// The coverage attacks: content that nobody reviewed must not ride along with content that was.

func TestDirectPushUnderAnApprovedChange(t *testing.T) {
	l := newLab(t)
	pushed := l.push("pete", map[string]string{story.WebPath: story.Web(2, story.HostNetwork, "1.0")})
	merge := l.land("sara", map[string]string{story.WebPath: story.Web(2, story.HostNetwork, "2.0")}, "sam", "paula")
	l.look()
	apply := l.apply(story.Web(2, story.HostNetwork, "2.0"), merge)
	l.refuses(http.StatusForbidden, apply, pushed[:7])

	l.approve("sam", pushed) // an owner looks at what the platform team pushed
	l.look()
	l.admits("proven", apply)
}

func TestEvilMerge(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	base, err := l.shop.Tip(ctx)
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.shop.Branch(ctx, "feature", "sara", message, version("2.0"))
	if err != nil {
		t.Fatal(err)
	}
	// The merge commit brings something that neither parent has.
	merge, err := l.shop.Repo.Commit(ctx, story.Commit{
		Author: l.shop.People["sara"], Signer: l.shop.People["sara"], Parents: []string{base, head}, Message: message,
		Files: map[string]string{story.WebPath: story.Web(2, story.HostNetwork, "2.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.shop.Repo.SetBranch(ctx, "main", merge); err != nil {
		t.Fatal(err)
	}
	l.approve("sam", head, func(o *cli.ApproveOptions) { o.Base = base })
	l.approve("paula", head, func(o *cli.ApproveOptions) { o.Base = base })
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, story.HostNetwork, "2.0"), merge), "FW10")
}

// TestReindentedHunk lands the approved lines with another indentation: the same to git patch-id,
// another thing to Kubernetes.
func TestReindentedHunk(t *testing.T) {
	approved := strings.Replace(story.Web(2, "", "1.0"), "        image:", "        stdin: true\n        image:", 1)
	landed := strings.Replace(story.Web(2, "", "1.0"), "      containers:", "      hostNetwork: true\n      containers:", 1)
	otherContentIsRefused(t, approved, landed)
}

// TestMovedHunk lands the approved lines in another place of the same file.
func TestMovedHunk(t *testing.T) {
	two := story.Web(2, "", "1.0") + "      - name: helper\n        image: registry.example.com/helper:1.0\n"
	approved := strings.Replace(two, "web:1.0\n", "web:1.0\n        tty: true\n", 1)
	landed := strings.Replace(two, "helper:1.0\n", "helper:1.0\n        tty: true\n", 1)
	otherContentIsRefused(t, approved, landed)
}

func otherContentIsRefused(t *testing.T, approved, landed string) {
	t.Helper()
	l := newLab(t)
	head, err := l.shop.Branch(t.Context(), "feature", "sara", message, map[string]string{story.WebPath: approved})
	if err != nil {
		t.Fatal(err)
	}
	l.approve("sam", head)
	l.approve("paula", head)
	squashed := l.push("sara", map[string]string{story.WebPath: landed})
	l.look()
	l.refuses(http.StatusForbidden, l.apply(landed, squashed), "FW10")
}

func TestReplayedApproval(t *testing.T) {
	for name, elsewhere := range map[string]func(*cli.ApproveOptions){
		"in another repository": func(o *cli.ApproveOptions) { o.Repository = "https://git.example.com/fork.git" },
		"on another branch":     func(o *cli.ApproveOptions) { o.Branch, o.Base = "staging", "HEAD" },
		"in another tier":       func(o *cli.ApproveOptions) { o.Tiers = []string{"staging"} },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			merge := l.land("sara", version("2.0"))
			head := merge + "^2"
			l.approve("paula", head)
			l.approve("sam", head, elsewhere)
			l.look()
			l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge), "FW103")
			l.approve("sam", head)
			l.look()
			l.admits("proven", l.apply(story.Web(2, "", "2.0"), merge))
		})
	}
}

// TestUnreadFileFirst pushes a file that nothing reads, waits until something else was delivered,
// and then has a harmless line approved that makes the render read it.
func TestUnreadFileFirst(t *testing.T) {
	l := newLab(t)
	const kustomization = "shop/production/kustomization.yaml"
	l.edit("bindings.yaml", "render: Plain", "render: Kustomize")
	first := l.land("sara", map[string]string{kustomization: "resources: [web.yaml, banner.yaml]\n"}, "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "1.0"), first))

	const evil = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: evil, namespace: shop}\ndata: {key: theirs}\n"
	pushed := l.push("pete", map[string]string{"shop/base/evil.yaml": evil, "shop/base/kustomization.yaml": "resources: [evil.yaml]\n"})
	second := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), second))

	third := l.land("sara", map[string]string{kustomization: "resources: [web.yaml, banner.yaml, ../base]\n"}, "sam", "paula")
	l.look()
	l.refuses(http.StatusForbidden, l.apply(evil, third), pushed[:7])
	l.approve("sam", pushed)
	l.look()
	l.admits("proven", l.apply(evil, third))
}

func TestForcePushRevokesWhatItRemoves(t *testing.T) {
	l := newLab(t)
	base, err := l.shop.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	if err := l.shop.Repo.SetBranch(t.Context(), "main", base); err != nil {
		t.Fatal(err)
	}
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge))
}

// What was said can be taken back until it was delivered.
func TestRuling22WithdrawnApproval(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	withdraw := func(o *cli.ApproveOptions) { o.Withdraw = true }
	dry := l.apply(story.Web(2, "", "2.0"), merge)
	dry.DryRun = true
	l.admits("proven", dry)
	l.approve("sam", merge+"^2", withdraw)
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge), "FW103")
}

func shopKeyOf() change.SourceKey {
	return change.SourceKey{Repository: "apps", Branch: "main", Path: "shop/production", Namespace: "shop"}
}

func TestT42TwoKeysOfOnePerson(t *testing.T) {
	l := newLab(t)
	// Sam also holds the key that so far was paula's.
	l.edit("teams.yaml", "name: paula", "name: sam")
	merge := l.land("sara", version("2.0"))
	l.approve("sam", merge+"^2")
	l.approve("sam", merge+"^2", func(o *cli.ApproveOptions) { o.Key = l.shop.Key("paula") })
	l.edit("tiers.yaml", "minimum: 1", "minimum: 2")
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge), "has 1")
}

func TestRuling04RevokedKeyTakesEffectOnOldProofs(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), merge))
	l.edit("teams.yaml", fmt.Sprintf("publicKey: %q}", l.shop.People["sam"].PublicKey()),
		fmt.Sprintf("publicKey: %q, revokedAt: 2020-01-01T00:00:00Z}", l.shop.People["sam"].PublicKey()))
	// The world has changed and the proof was not judged again yet: it does not count meanwhile.
	if err := l.in.directory.load(); err != nil {
		t.Fatal(err)
	}
	again := l.apply(story.Web(2, "", "2.0"), merge)
	again.Object = strings.Replace(again.Object, "fairway.dev/source: shop", "fairway.dev/source: shop\n    note: again", 1)
	l.refuses(http.StatusForbidden, l.apply(story.Web(3, "", "2.0"), merge))
	l.look()
	l.refuses(http.StatusForbidden, again)
}

func TestT01AnyOtherContentIsRefused(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	good := story.Web(2, "", "2.0")
	for name, other := range map[string]string{
		"another value":     strings.Replace(good, "replicas: 2", "replicas: 3", 1),
		"another image":     strings.Replace(good, "web:2.0", "web:2.1", 1),
		"another type":      strings.Replace(good, "labels: {app: web}\nspec", "labels: {app: \"1\"}\nspec", 1),
		"a field more":      strings.Replace(good, "      containers:", "      hostPID: true\n      containers:", 1),
		"a field less":      strings.Replace(good, "  labels: {app: web}\nspec", "spec", 1),
		"a container more":  good + "      - name: evil\n        image: evil\n",
		"an annotation":     strings.Replace(good, "  labels: {app: web}\nspec", "  labels: {app: web, x: more}\nspec", 1),
		"another name":      strings.Replace(good, "name: web\n  namespace", "name: web2\n  namespace", 1),
		"the sandbox's one": strings.Replace(good, "image: registry", "image: sandbox.registry", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if other == good {
				t.Fatal("the mutation changes nothing")
			}
			sub := &lab{t: t, shop: l.shop, in: l.in, server: story.NewServer(), front: l.front}
			sub.refuses(http.StatusForbidden, sub.apply(other, merge))
		})
	}
	l.admits("proven", l.apply(good, merge))
}

// TestT37AnAnnotationIsNoURL names repositories that nobody registered: nothing is fetched for them.
func TestT37AnAnnotationIsNoURL(t *testing.T) {
	l := newLab(t)
	for _, repository := range []string{"https://169.254.169.254/x", "file:///etc", "--upload-pack=touch /tmp/x", "other"} {
		write := l.apply(story.Banner, strings.Repeat("ab", 20))
		write.Object = strings.Replace(write.Object, "fairway.dev/repository: apps", fmt.Sprintf("fairway.dev/repository: %q", repository), 1)
		l.refuses(http.StatusForbidden, write)
	}
	if n := len(l.in.mirrors.open); n != 1 {
		t.Errorf("%d mirrors are open, want that of the one registered repository", n)
	}
}

// TestRuling26ACommitNobodyLookedAtYet gets 429, so that the client asks again by itself.
func TestRuling26ACommitNobodyLookedAtYet(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	apply := l.apply(story.Web(2, "", "2.0"), merge)
	l.refuses(http.StatusTooManyRequests, apply)
	l.look()
	l.admits("proven", apply)
}

func TestT19AnUnknownNamespaceIsStrict(t *testing.T) {
	l := newLab(t)
	l.refuses(http.StatusForbidden, story.Write{Object: strings.ReplaceAll(story.Banner, "shop", "nowhere"), User: "sara", Manager: "kubectl"})
}

// TestT10OldContentIsNoRollback: what was proven once but never delivered here is no way back.
func TestT10OldContentIsNoRollback(t *testing.T) {
	l := newLab(t)
	older := l.land("sara", version("2.0"), "sam", "paula")
	newer := l.land("sara", version("3.0"), "sam", "paula")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "3.0"), newer))
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), older))
}

// TestEngineMarksAreContent: what Flux adds to each manifest is part of what it applies. The marks of
// another owner are other content, however well the rest fits.
func TestEngineMarksAreContent(t *testing.T) {
	l := newLab(t)
	l.edit("bindings.yaml", "fieldManager: deployer}", "via: {flux: {kustomization: flux-system/shop}}}")
	l.look()
	marked := func(owner string) story.Write {
		return story.Write{
			User: "system:serviceaccount:flux-system:kustomize-controller", Manager: "kustomize-controller", Apply: true,
			Object: strings.Replace(story.Banner, "namespace: shop}", fmt.Sprintf("namespace: shop, labels: {kustomize.toolkit.fluxcd.io/name: %s, "+
				"kustomize.toolkit.fluxcd.io/namespace: flux-system}}", owner), 1),
		}
	}
	l.refuses(http.StatusForbidden, marked("other"), "FW202")
	l.admits("proven", marked("shop"))
}

// TestRuling22RewoundRefAndRestart: whoever may push to an approval ref can rewind it, but not make a
// withdrawal unsaid, not even where Fairway starts anew.
func TestRuling22RewoundRefAndRestart(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	approved, err := l.shop.Repo.Ref(t.Context(), "refs/fairway/approvals/sam")
	if err != nil {
		t.Fatal(err)
	}
	l.approve("sam", merge+"^2", func(o *cli.ApproveOptions) { o.Withdraw = true })
	l.look()
	if err := l.shop.Repo.SetRef(t.Context(), "refs/fairway/approvals/sam", approved); err != nil {
		t.Fatal(err)
	}
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge), "FW103")

	again := l.restart()
	again.refuses(http.StatusForbidden, again.apply(story.Web(2, "", "2.0"), merge), "FW103")
}
