package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// large is a Deployment of about 6 KiB as JSON.
func large(tag string) string {
	var env strings.Builder
	for i := range 38 {
		fmt.Fprintf(&env, "\n        - {name: SETTING_%02d, value: \"a value of some length, number %d\"}", i, i)
	}
	return story.Web(2, "", tag) + "        env:" + env.String() + "\n"
}

// BenchmarkVerdict is the verdict in process, without the HTTP front: lanes, look-up, binding and
// judgement of a Deployment of 6 KiB (bar P1).
func BenchmarkVerdict(b *testing.B) {
	l := newLab(b)
	first := l.land("sara", map[string]string{story.WebPath: large("1.0")}, "sam", "paula")
	second := l.land("sara", map[string]string{story.WebPath: large("2.0")}, "sam", "paula")
	l.look()
	write := func(server *story.Server, manifest, commit string) change.Request {
		review, keep, err := server.Try(l.apply(manifest, commit))
		if err != nil {
			b.Fatal(err)
		}
		keep()
		r := review.Request
		id := change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
		return change.Request{
			UID: string(r.UID), Operation: change.Operation(r.Operation), Namespace: "shop", Name: "web", ID: id,
			Kind:     change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource: change.Resource{Group: "apps", Version: "v1", Resource: "deployments"},
			User:     change.User{Name: r.UserInfo.Username}, Object: r.Object.Raw, Old: r.OldObject.Raw, FieldManager: "deployer",
		}
	}
	create := write(story.NewServer(), large("2.0"), second)
	write(l.server, large("1.0"), first)
	update := write(l.server, large("2.0"), second)
	same := update
	same.Object = same.Old
	open := create
	open.Namespace, open.ID.Namespace = "play", "play"
	for _, c := range []struct {
		name    string
		request change.Request
		lane    policy.Lane
	}{
		{"no-op", same, policy.LaneNoOp}, {"open", open, policy.LaneOpen},
		{"proven-create", create, policy.LaneProven}, {"proven-update", update, policy.LaneProven},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.request.DryRun = true // a delivery is marked once, and not what is measured
			b.ReportAllocs()
			b.SetBytes(int64(len(c.request.Object)))
			for b.Loop() {
				if v := l.in.gate.Judge(b.Context(), &c.request); v.Outcome != policy.Allow || v.Lane != c.lane {
					b.Fatalf("%v on lane %q: %s", v.Outcome, v.Lane, v.Message())
				}
			}
		})
	}
}

// BenchmarkProof is a new, approved revision of a source of 100 objects, from the moment it is on the
// branch to the moment its proof is in the index: fetch, statements, history, signatures, render in a
// worker, digests and judgement (bar P5). Its floor, in the same run, is the bare render of the same
// tree with the same library in a worker.
func BenchmarkProof(b *testing.B) {
	l := newLab(b)
	l.edit("bindings.yaml", "render: Plain", "render: Kustomize")
	files := map[string]string{}
	list := "resources:\n- web.yaml\n- banner.yaml\n"
	for i := range 98 {
		name := fmt.Sprintf("config-%02d", i)
		files["shop/production/"+name+".yaml"] = strings.ReplaceAll(story.Banner, "banner", name)
		list += "- " + name + ".yaml\n"
	}
	files["shop/production/kustomization.yaml"] = list
	l.land("sara", files, "sam", "paula")
	l.look()
	n := 0
	b.Run("new-revision", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			n++
			l.land("sara", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter sale", fmt.Sprint("sale ", n), 1)}, "sam", "paula")
			b.StartTimer()
			l.look()
		}
	})
	b.Run("render-only", func(b *testing.B) {
		tip, err := l.shop.Tip(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		repo := l.in.mirrors.open["apps"].mirror.Repo
		for b.Loop() {
			tree, err := repo.Tree(b.Context(), tip)
			if err != nil {
				b.Fatal(err)
			}
			source := render.Source{Kind: tier.Kustomize, Path: "shop/production", Namespace: "shop"}
			if _, refusal, err := l.in.mirrors.renderer.Render(b.Context(), treeFS{tree}, source); err != nil || refusal != nil {
				b.Fatal(err, refusal)
			}
		}
	})
}
