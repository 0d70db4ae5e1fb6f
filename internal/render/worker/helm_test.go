package worker

import (
	"context"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT33WorkerEndsTheChart: templates that grow, recurse or compute without end. The worker ends within
// its memory and its processor time, and says that the chart is at fault, so that nobody tries it again.
func TestT33WorkerEndsTheChart(t *testing.T) {
	for name, template := range map[string]string{
		"grows":     `{{ $x := "x" }}{{ range until 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}`,
		"repeats":   `{{ repeat 4000000000 "x" }}`,
		"lists":     `{{ range until 4000000000 }}{{ end }}`,
		"tpl":       `{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}`,
		"computes":  `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`,
		"templates": `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := files("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "templates/a.yaml", template)
			source := render.Source{Kind: tier.Chart, Path: ".", Namespace: "shop", Helm: render.Helm{Helm: tier.Helm{Release: "shop"}}}
			small := pool(t, "worker")
			small.options.Memory = 256 << 20
			small.options.Processor = 3 * time.Second
			result, refusal, err := small.Render(context.Background(), tree, source)
			if err != nil {
				t.Fatalf("error: %v", err)
			}
			if refusal == nil || len(result.Objects) > 0 {
				t.Errorf("objects %d, refused %v", len(result.Objects), refusal)
			}
		})
	}
}
