package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
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
// worker, digests and judgement (bar P5), in a repository of some dozen commits and in one of 20 000
// commits and 5 000 files. Its floor, in the same run, is the bare render of the same tree with the same
// library in a worker.
func BenchmarkProof(b *testing.B) {
	for _, size := range []struct {
		name          string
		merges, files int
	}{{"young", 0, 0}, {"20k-commits-5k-files", 10_000, 5_000}} {
		b.Run(size.name, func(b *testing.B) {
			l := newLab(b)
			if size.merges > 0 {
				l.age(size.merges, size.files)
			}
			l.hundredObjects()
			b.Run("new-revision", l.newRevisions)
			b.Run("render-only", l.rendersOnly)
		})
	}
}

// hundredObjects has the shop made by Kustomize, of 100 objects.
func (l *lab) hundredObjects() {
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
}

func (l *lab) newRevisions(b *testing.B) {
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		merge := l.land("sara", map[string]string{story.BannerPath: strings.Replace(story.Banner, "winter sale", fmt.Sprint("sale ", n, b.N), 1)}, "sam", "paula")
		b.StartTimer()
		l.look()
		b.StopTimer()
		if known := l.in.directory.shelf.Index.Of(shopKeyOf()); !slices.ContainsFunc(known, func(p *change.Proof) bool { return p.Commit == merge && len(p.Objects) == 100 }) {
			b.Fatal("the revision is not proven")
		}
		b.StartTimer()
	}
}

func (l *lab) rendersOnly(b *testing.B) {
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
}

// age gives the repository a long history beside the shop: so many merged changes of one commit each, of
// so many files in folders of 25. It ends at the baseline.
func (l *lab) age(merges, files int) {
	l.t.Helper()
	tip, err := l.shop.Tip(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	var in bytes.Buffer
	mark := 0
	commit := func(ref, parents string, numbers ...int) string {
		mark++
		fmt.Fprintf(&in, "commit refs/heads/%s\nmark :%d\ncommitter A <a@example.com> %d +0000\ndata 2\nm\n%s", ref, mark, 1_500_000_000+mark*60, parents)
		for _, i := range numbers {
			text := fmt.Sprintf("kind: ConfigMap\nmetadata: {name: c%d}\ndata: {version: \"%d\"}\n", i, mark)
			fmt.Fprintf(&in, "M 100644 inline apps/team%02d/app%d/file%d.yaml\ndata %d\n%s\n", i%20, i/25, i, len(text), text)
		}
		in.WriteString("\n")
		return fmt.Sprint(":", mark)
	}
	all := make([]int, files)
	for i := range all {
		all[i] = i
	}
	head := commit("main", "from "+tip+"\n", all...)
	for n := range merges {
		changed := commit("aged", "from "+head+"\n", n*7919%files)
		head = commit("main", "from "+head+"\nmerge "+changed+"\n", n*7919%files)
	}
	load := exec.CommandContext(l.t.Context(), "git", "--git-dir", l.shop.Repo.Dir, "fast-import", "--quiet", "--force")
	load.Stdin = &in
	if out, err := load.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	aged, err := l.shop.Tip(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	l.edit("repository.yaml", "baseline: "+tip, "baseline: "+aged)
	l.look()
}
