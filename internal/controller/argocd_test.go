package controller

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestAgain: a sync is started anew only where the refusal of ours was what ended it, and is no more.
func TestAgain(t *testing.T) {
	sources := []deliveredSource{{tier: tier.Tier{Name: "production"}}, {tier: tier.Tier{Name: "production"}, proofs: []change.Proof{
		{Commit: "c2", Judgements: []change.Judgement{{Tier: "production", Admissible: change.Absent}}},
		{Commit: "c1", Judgements: []change.Judgement{{Tier: "production", Admissible: change.Present}}},
		{Commit: "c0", Revoked: true, Judgements: []change.Judgement{{Tier: "production", Admissible: change.Present}}},
	}}}
	const failed = `{
		"spec": {"syncPolicy": {"automated": {"prune": true}, "syncOptions": ["ServerSideApply=true"], "retry": {"limit": 2}}},
		"status": {"operationState": {"phase": "Failed", "operation": {"sync": {"revision": "c1"}},
			"message": "one or more objects failed to apply, reason: admission webhook \"strict.fairway.dev\" denied the request: ..."}}}`
	several := strings.NewReplacer(
		`"phase": "Failed"`, `"phase": "Failed", "syncResult": {"revision": "", "revisions": ["c1", "1.2.3"]}`,
		`"revision": "c1"`, `"revision": "", "revisions": ["c1", "c1"]`,
		`"spec": {`, `"spec": {"sources": [{}, {}], `,
	).Replace(failed)
	for name, tt := range map[string]struct {
		change, into string
		want         string
		several      []string
	}{
		"refused, and admitted now":        {want: "c1"},
		"by a sync that was not begun":     {change: `"operation": {"sync": {"revision": "c1"}},`, into: `"syncResult": {"revision": "c1"},`, want: "c1"},
		"refused for another reason":       {change: "fairway.dev", into: "example.com"},
		"under way":                        {change: `"spec": {`, into: `"operation": {"sync": {}}, "spec": {`},
		"running":                          {change: `"Failed"`, into: `"Running"`},
		"succeeded":                        {change: `"Failed"`, into: `"Succeeded"`},
		"synced by people":                 {change: `"automated": {"prune": true},`, into: ""},
		"switched off":                     {change: `{"prune": true}`, into: `{"enabled": false}`},
		"of a commit that is not":          {change: `"c1"`, into: `"c2"`},
		"of a commit that left":            {change: `"c1"`, into: `"c0"`},
		"of a commit that nobody knows":    {change: `"c1"`, into: `"HEAD"`},
		"of several sources":               {change: failed, into: several, want: "c1 1.2.3", several: []string{"c1", "1.2.3"}},
		"of several, not begun":            {change: failed, into: strings.Replace(several, "syncResult", "x", 1), want: "c1 c1", several: []string{"c1", "c1"}},
		"of several, and one is not":       {change: failed, into: strings.Replace(several, "1.2.3", "c2", 1)},
		"of several, and nobody knows one": {change: failed, into: strings.Replace(several, `"c1", "1`, `"HEAD", "1`, 1)},
		"of fewer sources than there are":  {change: failed, into: strings.ReplaceAll(several, "[{}, {}]", "[{}, {}, {}]")},
	} {
		t.Run(name, func(t *testing.T) {
			var app map[string]any
			if err := json.Unmarshal([]byte(strings.Replace(failed, tt.change, tt.into, 1)), &app); err != nil {
				t.Fatal(err)
			}
			commits, operation := again(app, sources)
			if commits != tt.want {
				t.Fatalf("started %q anew, want %q", commits, tt.want)
			}
			if commits == "" {
				return
			}
			want := map[string]any{"revision": "c1", "prune": true, "syncOptions": []string{"ServerSideApply=true"}}
			if tt.several != nil {
				delete(want, "revision")
				want["revisions"] = tt.several
			}
			if diff := cmp.Diff(want, operation["sync"]); diff != "" {
				t.Errorf("sync (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNotice: what stands above an Application.
func TestNotice(t *testing.T) {
	shop := deliveredSource{tier: tier.Tier{Name: "production"}, status: v1alpha1.SourceStatus{Name: "shop", Commit: strings.Repeat("a", 40), Verdict: v1alpha1.VerdictAllow}}
	waits, fresh := shop, shop
	waits.status.Verdict, waits.status.Message = v1alpha1.VerdictPending, "[FW103] needs approval (sam)\n[FW104] by another team"
	fresh.status = v1alpha1.SourceStatus{Name: "new"}
	long := waits
	long.status.Message = strings.Repeat("x", 1000)
	for _, tt := range []struct {
		sources           []deliveredSource
		content, severity string
	}{
		{[]deliveredSource{shop}, "Fairway, tier production, source shop at aaaaaaaaaaaa: Allow", "info"},
		{[]deliveredSource{waits}, "Fairway, tier production, source shop at aaaaaaaaaaaa: Pending. [FW103] needs approval (sam); [FW104] by another team", "warning"},
		{[]deliveredSource{shop, fresh}, "Fairway, tier production, source shop at aaaaaaaaaaaa: Allow\nFairway, tier production, source new: no commit was judged yet", "warning"},
	} {
		content, severity := notice(tt.sources)
		if diff := cmp.Diff([]string{tt.content, tt.severity}, []string{content, severity}); diff != "" {
			t.Errorf("notice (-want +got):\n%s", diff)
		}
	}
	if content, _ := notice([]deliveredSource{long}); utf8.RuneCountInString(content) > noticeLimit {
		t.Errorf("the notice has %d characters", utf8.RuneCountInString(content))
	}
}
