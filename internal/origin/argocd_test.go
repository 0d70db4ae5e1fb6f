package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClaimed: the order in which Argo CD's own fields are likely to name the commit that it applies.
func TestClaimed(t *testing.T) {
	a, b, c, d := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40), strings.Repeat("d", 40)
	tests := []struct {
		name, application string
		want              []string
	}{
		{"nothing", `{}`, nil},
		{"no object", `x`, nil},
		{"compared", `{"status": {"sync": {"revision": "` + a + `"}}}`, []string{a}},
		{"a sync that has not begun", `{"operation": {"sync": {"revision": "` + b + `"}}, "status": {"sync": {"revision": "` + a + `"}}}`, []string{b, a}},
		{
			"the first wave", `{"operation": {"sync": {"revision": "` + c + `"}}, "status": {
				"operationState": {"phase": "Running", "operation": {"sync": {"revision": "` + b + `"}}}, "sync": {"revision": "` + a + `"}}}`,
			[]string{b, c, a},
		},
		{
			"a later wave", `{"operation": {"sync": {"revision": "` + b + `"}}, "status": {
				"operationState": {"phase": "Running", "operation": {"sync": {"revision": "` + b + `"}}, "syncResult": {"revision": "` + d + `"}}, "sync": {"revision": "` + a + `"}}}`,
			[]string{d, b, a},
		},
		{
			"the result of a sync that is over", `{"status": {
				"operationState": {"phase": "Failed", "operation": {"sync": {"revision": "` + b + `"}}, "syncResult": {"revision": "` + d + `"}}, "sync": {"revision": "` + a + `"}}}`,
			[]string{b, a},
		},
		{"several sources", `{"operation": {"sync": {"revisions": ["` + a + `", "` + b + `", "` + a + `"]}}}`, []string{a, b}},
		{"what is no commit", `{"operation": {"sync": {"revision": "HEAD", "revisions": ["main", "", "abc"]}}, "status": {"sync": {"revision": "1.2.3"}}}`, nil},
		{"of another type", `{"operation": 3}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Claimed([]byte(tt.application))); diff != "" {
				t.Errorf("commits (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzClaimed: whatever an Application holds, what comes out are full commit ids, each once.
func FuzzClaimed(f *testing.F) {
	f.Add([]byte(`{"operation": {"sync": {"revision": "` + commit + `"}}}`))
	f.Add([]byte(`{"status": {"operationState": {"phase": "Running", "syncResult": {"revisions": ["` + commit + `"]}}}}`))
	f.Fuzz(func(t *testing.T, application []byte) {
		seen := map[string]bool{}
		for _, c := range Claimed(application) {
			if !IsCommit(c) || seen[c] {
				t.Errorf("claimed %q", c)
			}
			seen[c] = true
		}
	})
}
