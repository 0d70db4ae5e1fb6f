package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// meant is an answer in the API machinery's types, with invalid UTF-8 replaced as JSON has it.
func meant(a answer, uid string) *admissionv1.AdmissionReview {
	valid := func(s string) string { return string([]rune(s)) }
	r := &admissionv1.AdmissionResponse{UID: types.UID(valid(uid)), Allowed: a.allowed}
	for _, w := range a.warnings {
		r.Warnings = append(r.Warnings, valid(w))
	}
	for _, p := range a.annotations {
		if r.AuditAnnotations == nil {
			r.AuditAnnotations = map[string]string{}
		}
		r.AuditAnnotations[valid(p.key)] = valid(p.value)
	}
	if !a.allowed {
		r.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: int32(a.code),
			Reason: metav1.StatusReason(valid(a.reason)), Message: valid(a.message),
		}
		if a.retryAfter != 0 || a.causes != nil {
			r.Result.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(a.retryAfter)}
		}
		for _, c := range a.causes {
			r.Result.Details.Causes = append(r.Result.Details.Causes,
				metav1.StatusCause{Type: metav1.CauseType(valid(c.kind)), Message: valid(c.message)})
		}
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: r,
	}
}

// FuzzAnswer: what is appended by hand is what the API machinery's types decode to, for any text.
func FuzzAnswer(f *testing.F) {
	f.Add("uid", "message", "warning", true, uint8(0), uint8(0))
	f.Add("u\"i\\d", "<script>\u2028\x00\n", "\xff\xfe", false, uint8(2), uint8(1))
	f.Add("", "", "", false, uint8(0), uint8(3))
	f.Add("\ud7ff", "ü", "😀", false, uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, uid, message, warning string, allowed bool, lists, retry uint8) {
		a := answer{allowed: allowed, code: 403, reason: "Forbidden", message: message, retryAfter: int(retry)}
		for i := range int(lists % 4) {
			suffix := strings.Repeat("x", i)
			a.causes = append(a.causes, cause{kind: "FW201" + suffix, message: warning})
			a.warnings = append(a.warnings, warning)
			a.annotations = append(a.annotations, pair{"key" + suffix, message})
		}
		data := a.append(nil, uid)
		if !utf8.Valid(data) {
			t.Errorf("not valid UTF-8: %q", data)
		}
		var got admissionv1.AdmissionReview
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("decoding %s: %v", data, err)
		}
		if diff := cmp.Diff(meant(a, uid), &got); diff != "" {
			t.Errorf("decoded answer (-meant +got):\n%s", diff)
		}
	})
}

func TestAnswerOf(t *testing.T) {
	proof := &change.Proof{Commit: "3f2c1ab", Tree: "beef", Approvers: []string{"alice", "bob"}}
	missing := []policy.Finding{
		{Code: "FW105", Outcome: policy.Allow, Reason: "signed", Detail: "by alice"},
		{Code: "FW103", Outcome: policy.Pending, Reason: "needs approval", Detail: "1 of 2", Remedy: "ask infra"},
		{Code: "FW103", Outcome: policy.Pending, Reason: "needs approval", Detail: "0 of 1", Remedy: "ask qa"},
		{Code: "FW106", Outcome: policy.Deny, Reason: "trailer missing", Detail: "Ticket", Remedy: "add it"},
	}
	base := policy.Verdict{
		Outcome: policy.Pending, Lane: policy.LaneRefuse, Tier: "prod", Generation: 4, Proof: proof, Findings: missing,
		Object:    change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Operation: change.Update, Namespace: "shop", Commit: "3f2c1ab", Warnings: []string{"deprecated tier"},
	}
	annotations := []pair{
		{"decision", "Pending"}, {"lane", "refuse"}, {"tier", "prod"}, {"tier-generation", "4"},
		{"reasons", "FW103,FW106"}, {"commit", "3f2c1ab"}, {"tree", "beef"}, {"approvers", "alice,bob"},
	}
	causes := []cause{{"FW103", "needs approval"}, {"FW103", "needs approval"}, {"FW106", "trailer missing"}}
	tests := []struct {
		name string
		with func(*policy.Verdict)
		want answer
	}{
		{"enforced", func(v *policy.Verdict) { v.Enforcement = tier.Enforce }, answer{
			code: 403, reason: "Forbidden", message: message(&base),
			causes: causes, annotations: annotations, warnings: []string{"deprecated tier"},
		}},
		{"warned about", func(v *policy.Verdict) { v.Enforcement = tier.Warn }, answer{
			allowed: true, annotations: annotations, warnings: []string{"deprecated tier", message(&base)},
		}},
		{"recorded only", func(v *policy.Verdict) { v.Enforcement = tier.Audit }, answer{
			allowed: true, annotations: annotations, warnings: []string{"deprecated tier"},
		}},
		{"allowed", func(v *policy.Verdict) {
			v.Outcome, v.Lane, v.Findings, v.Warnings = policy.Allow, policy.LaneProven, nil, nil
		}, answer{
			allowed: true, annotations: []pair{
				{"decision", "Allow"}, {"lane", "proven"}, {"tier", "prod"}, {"tier-generation", "4"},
				{"commit", "3f2c1ab"}, {"tree", "beef"}, {"approvers", "alice,bob"},
			},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := base
			tt.with(&v)
			got := answerOf(&v)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(answer{}, pair{}, cause{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnswerIsBounded: nothing that a verdict holds makes an answer large.
func TestAnswerIsBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	v := policy.Verdict{Outcome: policy.Allow, Tier: long, Proof: &change.Proof{Commit: long, Approvers: []string{long}}}
	for range 1000 {
		v.Warnings = append(v.Warnings, long)
	}
	a := answerOf(&v)
	data := a.append(nil, string(typed().Request.UID))
	if len(data) > 32<<10 {
		t.Errorf("%d bytes", len(data))
	}
	if got := decoded(t, data); len(got.Warnings) != mostWarnings {
		t.Errorf("%d warnings, want %d", len(got.Warnings), mostWarnings)
	}
	for _, p := range a.annotations {
		if !utf8.ValidString(p.value) {
			t.Errorf("annotation %s is cut within a character", p.key)
		}
	}
}

// TestAnnotationKeys: the API server drops an annotation whose key is not a plain name.
func TestAnnotationKeys(t *testing.T) {
	v := policy.Verdict{Outcome: policy.Deny, Lane: policy.LaneRefuse, Tier: "t", Proof: &change.Proof{Commit: "c", Tree: "t", Approvers: []string{"a"}}}
	seen := map[string]bool{}
	for _, p := range annotationsOf(&v) {
		if p.key == "" || strings.Trim(p.key, "abcdefghijklmnopqrstuvwxyz-") != "" || seen[p.key] {
			t.Errorf("annotation key %q", p.key)
		}
		seen[p.key] = true
	}
}
