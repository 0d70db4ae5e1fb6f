package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/tier"
)

// The codes of HTTP that an answer may have. There are no others (ruling 26): engines take 409 and
// 422 for an immutable field, and delete the object to make it anew.
const (
	httpOK        = 200
	httpForbidden = 403
	httpTooMany   = 429
)

// The bounds of an answer.
const (
	warningLimit = 120 // characters; the API server cuts longer ones
	warningCount = 8
	causeCount   = 16
)

// Status is a verdict in the terms of an admission response.
type Status struct {
	Allowed           bool
	Code              int32  // 200, 403 or 429
	Reason            string // of metav1.Status: "Forbidden" or "TooManyRequests"; empty where allowed
	Message           string
	RetryAfterSeconds int32
	Causes            []Cause
	Warnings          []string
	Annotations       map[string]string // for the API server's audit log
}

// Cause is one unmet requirement.
type Cause struct {
	Type    string // the code
	Message string
}

// Status puts the verdict into the terms of an admission response.
func (v Verdict) Status() Status {
	s := Status{Allowed: v.Admits(), Code: httpOK, Annotations: v.annotations()}
	for _, w := range v.Warnings {
		s.warn(w)
	}
	if v.Outcome == Allow {
		return s
	}
	if s.Allowed {
		if v.Enforcement == tier.Warn {
			s.warn("would be refused: " + v.head())
		}
		return s
	}
	s.Code, s.Reason, s.Message = httpForbidden, "Forbidden", v.Message()
	if v.RetryAfter > 0 {
		s.Code, s.Reason = httpTooMany, "TooManyRequests"
		s.RetryAfterSeconds = int32(min((v.RetryAfter+time.Second-1)/time.Second, time.Minute/time.Second))
	}
	for _, f := range v.Findings {
		if f.Outcome != Allow && len(s.Causes) < causeCount {
			s.Causes = append(s.Causes, Cause{Type: string(Lookup(f.Code).Code), Message: defuse(cut(f.Reason+": "+f.Detail, lineLimit))})
		}
	}
	return s
}

func (s *Status) warn(text string) {
	if len(s.Warnings) < warningCount {
		s.Warnings = append(s.Warnings, cut(clean(text), warningLimit))
	}
}

// annotations say for the audit log which way a request went and on what grounds.
func (v Verdict) annotations() map[string]string {
	a := map[string]string{
		"outcome": v.Outcome.String(), "lane": string(v.Lane), "tier": note(v.Tier),
		"tier-generation": strconv.FormatInt(v.Generation, 10), "codes": strings.Join(v.codes(), ","),
	}
	if v.Commit != "" {
		a["commit"] = note(v.Commit)
	}
	if v.Proof != nil {
		a["tree"], a["approvals"] = note(v.Proof.Tree), v.approvals()
	}
	return a
}

// codes are those of the findings, each once, in their order.
func (v Verdict) codes() []string {
	var codes []string
	for _, f := range v.Findings {
		if c := string(Lookup(f.Code).Code); !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	return codes
}

// approvals is a digest of who approved which content: SHA-256 in hex over the tree and the
// approvers, sorted.
func (v Verdict) approvals() string {
	names := slices.Clone(v.Proof.Approvers)
	slices.Sort(names)
	h := sha256.New()
	for _, part := range append([]string{"fairway-approvals-1", v.Proof.Tree}, names...) {
		_, _ = h.Write([]byte(part)) // a hash never fails to write
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// note is a value for the audit log: one line, cut.
func note(s string) string { return cut(clean(s), quoteLimit) }
