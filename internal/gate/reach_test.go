package gate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT15RepeatsBeginNothing: a field that repeats what is there is left to a lane that sets others beside it, as
// the console does with each sync. Alone it would begin a sync, for which nobody gave a right.
func TestT15RepeatsBeginNothing(t *testing.T) {
	parse := func(operation string) *canon.Object {
		o, err := canon.Parse([]byte(`{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"a","namespace":"argocd"},"spec":{"source":{"path":"a"}}` + operation + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	repeats := []string{"operation.sync.source"}
	for name, tt := range map[string]struct {
		fields    []string
		operation string
		want      change.Found
		beyond    []string
	}{
		"with a revision":               {[]string{"operation.sync.revision"}, `{"sync":{"revision":"c","source":{"path":"a"}}}`, change.Present, nil},
		"by who may start none":         {[]string{"status", `metadata.annotations["x"]`}, `{"sync":{"source":{"path":"a"}}}`, change.Absent, []string{"operation.sync.source.path"}},
		"by who only says who it is":    {[]string{"operation.initiatedBy"}, `{"sync":{"source":{"path":"a"}}}`, change.Absent, []string{"operation.sync.source.path"}},
		"by who may set all of it":      {[]string{"operation"}, `{"sync":{"source":{"path":"a"}}}`, change.Present, nil},
		"with something beyond as well": {[]string{"operation.sync.revision"}, `{"sync":{"manifests":"m","source":{"path":"a"}}}`, change.Absent, []string{"operation.sync.manifests"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := canon.Compare(parse(""), parse(`,"operation":`+tt.operation), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, beyond, _ := within(d, tier.Controller{Fields: tt.fields}, repeats, change.Update)
			if diff := cmp.Diff(tt.beyond, beyond); diff != "" || got != tt.want {
				t.Errorf("within: %s, want %s; beyond (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}
