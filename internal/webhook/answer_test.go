package webhook

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// meant is a status in the API machinery's types, with invalid UTF-8 replaced as JSON has it.
func meant(a policy.Status, uid string) *admissionv1.AdmissionReview {
	valid := func(s string) string { return string([]rune(s)) }
	r := &admissionv1.AdmissionResponse{UID: types.UID(valid(uid)), Allowed: a.Allowed}
	for _, w := range a.Warnings {
		r.Warnings = append(r.Warnings, valid(w))
	}
	for key, value := range a.Annotations {
		if r.AuditAnnotations == nil {
			r.AuditAnnotations = map[string]string{}
		}
		r.AuditAnnotations[valid(key)] = valid(value)
	}
	if !a.Allowed {
		r.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: a.Code,
			Reason: metav1.StatusReason(valid(a.Reason)), Message: valid(a.Message),
		}
		if a.RetryAfterSeconds != 0 || a.Causes != nil {
			r.Result.Details = &metav1.StatusDetails{RetryAfterSeconds: a.RetryAfterSeconds}
		}
		for _, c := range a.Causes {
			r.Result.Details.Causes = append(r.Result.Details.Causes,
				metav1.StatusCause{Type: metav1.CauseType(valid(c.Type)), Message: valid(c.Message)})
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
		a := policy.Status{Allowed: allowed, Code: 403, Reason: "Forbidden", Message: message, RetryAfterSeconds: int32(retry)}
		for i := range int(lists % 32) {
			suffix := strings.Repeat("x", i)
			a.Causes = append(a.Causes, policy.Cause{Type: "FW201" + suffix, Message: warning})
			a.Warnings = append(a.Warnings, warning)
			if a.Annotations == nil {
				a.Annotations = map[string]string{}
			}
			a.Annotations["key"+suffix] = message
		}
		data := appendAnswer(nil, uid, &a)
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

// TestRuling26VerdictOnTheWire: the answer to a request is its verdict's status, in every mode of a tier.
func TestRuling26VerdictOnTheWire(t *testing.T) {
	base := policy.Verdict{
		Outcome: policy.Pending, Lane: policy.LaneRefuse, Tier: "prod", Generation: 4,
		Proof: &change.Proof{Commit: "3f2c1ab", Tree: "beef", Approvers: []string{"alice", "bob"}},
		Findings: []policy.Finding{
			{Code: policy.CodeSignature, Outcome: policy.Allow, Reason: "signed", Detail: "by alice"},
			{Code: policy.CodeApproval, Outcome: policy.Pending, Reason: "needs approval", Detail: "1 of 2", Remedy: "ask infra"},
		},
		Object:    change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Operation: change.Update, Namespace: "shop", Commit: "3f2c1ab", Warnings: []string{"deprecated tier"},
	}
	for name, tt := range map[string]struct {
		with     func(*policy.Verdict)
		allowed  bool
		code     int32
		warnings int
	}{
		"enforced":     {func(v *policy.Verdict) { v.Enforcement = tier.Enforce }, false, 403, 1},
		"warned about": {func(v *policy.Verdict) { v.Enforcement = tier.Warn }, true, 0, 2},
		"recorded":     {func(v *policy.Verdict) { v.Enforcement = tier.Audit }, true, 0, 1},
		"allowed":      {func(v *policy.Verdict) { v.Outcome, v.Lane = policy.Allow, policy.LaneProven }, true, 0, 1},
		"unknown":      {func(v *policy.Verdict) { v.Outcome, v.Enforcement = policy.Unknown, tier.Enforce }, false, 403, 1},
		"being proven": {func(v *policy.Verdict) { v.RetryAfter = time.Second }, false, 429, 1},
		"zero":         {func(v *policy.Verdict) { *v = policy.Verdict{} }, false, 403, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := base
			tt.with(&v)
			judge := judgeFunc(func(context.Context, *change.Request) policy.Verdict { return v })
			w := send(t, New(judge, Options{}).Handler(), encoded(t))
			got := decoded(t, w.Body.Bytes())
			if got.Allowed != tt.allowed || len(got.Warnings) != tt.warnings {
				t.Errorf("allowed %v, warnings %q", got.Allowed, got.Warnings)
			}
			if tt.code != 0 && (got.Result.Code != tt.code || got.Result.Message != v.Message()) {
				t.Errorf("status %+v", got.Result)
			}
			if got.AuditAnnotations["outcome"] != v.Outcome.String() || got.AuditAnnotations["lane"] != string(v.Lane) {
				t.Errorf("annotations %v", got.AuditAnnotations)
			}
		})
	}
}

// TestAnswerIsBounded: nothing that a verdict holds makes an answer large.
func TestAnswerIsBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	v := policy.Verdict{Tier: long, Commit: long, Proof: &change.Proof{Commit: long, Approvers: []string{long}}}
	for range 1000 {
		v.Warnings = append(v.Warnings, long)
		v.Findings = append(v.Findings, policy.Finding{Code: policy.CodeContent, Reason: long, Detail: long, Remedy: long})
	}
	s := v.Status()
	if data := appendAnswer(nil, string(typed().Request.UID), &s); len(data) > 32<<10 {
		t.Errorf("%d bytes", len(data))
	}
}

// TestAnnotationKeys: the API server drops an annotation whose key is not a plain name.
func TestAnnotationKeys(t *testing.T) {
	v := policy.Verdict{Outcome: policy.Deny, Commit: "c", Proof: &change.Proof{Tree: "t"}}
	for _, s := range []policy.Status{v.Status(), plainStatus("why", "")} {
		for key := range s.Annotations {
			if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz-") != "" {
				t.Errorf("annotation key %q", key)
			}
		}
	}
}
