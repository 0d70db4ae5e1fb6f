package render

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/kustomize/api/resmap"

	"github.com/fairway-dev/fairway/internal/tier"
)

// BenchmarkRender renders sources of Deployments, ten in a file. Kustomize/bare is kustomize without
// a guard, on the same tree. The library's time grows with the square of the objects (docs/performance.md),
// so 5000 of them are left to plain manifests.
func BenchmarkRender(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 2000, 5000} {
		tree := fstest.MapFS{}
		list := "resources:\n"
		for i := 0; i < n; i += 10 {
			text := ""
			for j := range 10 {
				text += fmt.Sprintf("---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web-%d, labels: {app: web}}\nspec:\n  replicas: 2\n"+
					"  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n"+
					"      - name: web\n        image: nginx\n        ports: [{containerPort: 80}]\n        env: [{name: A, value: b}]\n", i+j)
			}
			tree[fmt.Sprintf("plain/%d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
			list += fmt.Sprintf("- ../plain/%d.yaml\n", i)
		}
		tree["kustomize/kustomization.yaml"] = &fstest.MapFile{Data: []byte(list + "namespace: shop\nimages: [{name: nginx, newTag: '2'}]\n")}
		for _, src := range []Source{
			{Kind: tier.Plain, Path: "plain", Namespace: "shop"}, {Kind: tier.Kustomize, Path: "kustomize", Namespace: "shop"},
		} {
			if src.Kind == tier.Kustomize && n > 2000 {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", src.Kind, n), func(b *testing.B) {
				renderer := New(DefaultLimits(), nil)
				for b.Loop() {
					if _, refusal, err := renderer.Render(context.Background(), tree, src); err != nil || refusal != nil {
						b.Fatal(refusal, err)
					}
				}
			})
		}
		if n > 2000 {
			continue
		}
		b.Run(fmt.Sprintf("Kustomize/bare/%d", n), func(b *testing.B) {
			v := newView(b.Context(), tree, DefaultLimits())
			t := &vetter{v: v, files: map[string]bool{}, loads: map[string]int{}}
			if _, err := t.base("kustomize", 0); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				v.bytes = 0
				if _, err := run(&kustomizeFS{v: v, files: t.files, dirs: t.loads}, "kustomize", func(resmap.ResMap) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
