package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Bounds of what an answer carries. The API server cuts warnings at 4096 bytes in all.
const (
	longestWarning    = 1024
	mostWarnings      = 8
	longestAnnotation = 1024
	longestRetry      = 30 * time.Second
)

// answerOf puts a verdict into wire terms (ruling 26): what does not go through is 403, or 429 where
// a proof is being made and the client shall try again; never 409 or 422, which engines read as
// something else. A tier that warns admits with the refusal as a warning, one that audits admits and
// records only.
func answerOf(v *policy.Verdict) answer {
	a := answer{allowed: v.Admits(), annotations: annotationsOf(v)}
	for _, w := range v.Warnings[:min(len(v.Warnings), mostWarnings)] {
		a.warnings = append(a.warnings, cut(w, longestWarning))
	}
	switch {
	case !a.allowed:
		a.refuse(v)
	case v.Outcome != policy.Allow && v.Enforcement == tier.Warn:
		a.warnings = append(a.warnings, cut(message(v), longestWarning))
	}
	return a
}

// refuse fills what a denial says.
func (a *answer) refuse(v *policy.Verdict) {
	a.code, a.reason = http.StatusForbidden, "Forbidden"
	if v.RetryAfter > 0 {
		a.code, a.reason = http.StatusTooManyRequests, "TooManyRequests"
		a.retryAfter = int((min(v.RetryAfter, longestRetry) + time.Second - 1) / time.Second)
	}
	a.message = message(v)
	for _, f := range v.Findings {
		if f.Outcome != policy.Allow {
			a.causes = append(a.causes, cause{kind: string(f.Code), message: f.Reason})
		}
	}
}

// annotationsOf is what the API server writes into its audit log for each request.
func annotationsOf(v *policy.Verdict) []pair {
	list := make([]pair, 0, 8)
	add := func(key, value string) {
		if value != "" {
			list = append(list, pair{key, cut(value, longestAnnotation)})
		}
	}
	add("decision", v.Outcome.String())
	add("lane", string(v.Lane))
	add("tier", v.Tier)
	if v.Tier != "" {
		add("tier-generation", strconv.FormatInt(v.Generation, 10))
	}
	add("reasons", strings.Join(unmet(v), ","))
	if v.Proof != nil {
		add("commit", v.Proof.Commit)
		add("tree", v.Proof.Tree)
		add("approvers", strings.Join(v.Proof.Approvers, ","))
	}
	return list
}

// unmet are the codes of the findings that are not met, in their order, each once.
func unmet(v *policy.Verdict) []string {
	var codes []string
	for _, f := range v.Findings {
		if f.Outcome == policy.Allow || (len(codes) > 0 && codes[len(codes)-1] == string(f.Code)) {
			continue
		}
		codes = append(codes, string(f.Code))
	}
	return codes
}

// unjudged is the verdict on a request that the judge gave none on: it could not be read, or the
// judge failed or was late. It is Unknown in no known tier, so it denies.
func unjudged(req *change.Request, why, remedy string) policy.Verdict {
	v := policy.Verdict{
		Outcome: policy.Unknown,
		Lane:    policy.LaneRefuse,
		Findings: []policy.Finding{{
			Code: codeCannotTell, Outcome: policy.Unknown,
			Reason: "could not tell", Detail: why, Remedy: remedy,
		}},
	}
	if req != nil {
		v.Object, v.Operation, v.Namespace = req.ID, req.Operation, req.Namespace
	}
	return v
}

// sentence puts what is wrong and what to do into one line.
func sentence(why, remedy string) string {
	line := "[" + string(codeCannotTell) + "] " + why + "."
	if remedy != "" {
		line += " " + remedy
	}
	return line
}

// message says why a verdict does not allow.
func message(v *policy.Verdict) string {
	var lines []string
	for _, f := range v.Findings {
		if f.Outcome != policy.Allow {
			lines = append(lines, "["+string(f.Code)+"] "+f.Reason+": "+f.Detail)
		}
	}
	return strings.Join(lines, "\n")
}

// codeCannotTell is the code of everything that came to no verdict.
const codeCannotTell policy.Code = "FW401"
