package worker

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// BenchmarkObjects renders sources of many Deployments within the limits of the product. peak-MiB is the
// most that any worker of the run has held so far.
func BenchmarkObjects(b *testing.B) {
	workers := pool(b, "worker")
	for _, c := range []struct {
		kind tier.Render
		most int // objects
	}{{tier.Plain, 5000}, {tier.Kustomize, 2000}} {
		for _, n := range []int{100, 1000, 2000, 5000} {
			if n > c.most {
				continue
			}
			tree := deployments(n)
			b.Run(fmt.Sprintf("%s/%d", c.kind, n), func(b *testing.B) {
				began := children(b)
				for b.Loop() {
					_, refusal, err := workers.Render(b.Context(), tree, render.Source{Kind: c.kind, Path: string(c.kind), Namespace: "shop"})
					if err != nil || refusal != nil {
						b.Fatal(refusal, err)
					}
				}
				ended := children(b)
				b.ReportMetric(float64(ended.Maxrss)/1024, "peak-MiB")
				b.ReportMetric(float64(processor(ended)-processor(began))/1e6/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// deployments are n objects, twenty in a file, for each way to render them.
func deployments(n int) fstest.MapFS {
	tree, resources := fstest.MapFS{}, []string{"resources:"}
	for at := 0; at < n; at += 20 {
		var text strings.Builder
		for i := range 20 {
			fmt.Fprintf(&text, `---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web-%d, labels: {app: web}}, spec: {replicas: 2,
selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [
{name: web, image: nginx, ports: [{containerPort: 80}], env: [{name: A, value: b}]}]}}}}
`, at+i)
		}
		name := fmt.Sprintf("Plain/%d.yaml", at)
		tree[name] = &fstest.MapFile{Data: []byte(text.String())}
		resources = append(resources, "- ../"+name)
	}
	text := strings.Join(resources, "\n") + "\nnamespace: shop\nimages: [{name: nginx, newTag: '2'}]\n"
	tree["Kustomize/kustomization.yaml"] = &fstest.MapFile{Data: []byte(text)}
	return tree
}

// children is what ended workers have used.
func children(b *testing.B) syscall.Rusage {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		b.Fatal(err)
	}
	return used
}

func processor(used syscall.Rusage) int64 {
	return syscall.TimevalToNsec(used.Utime) + syscall.TimevalToNsec(used.Stime)
}
