package webhook

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// unjudged is the verdict on a request that the judge gave none on: it could not be read, or the
// judge failed or was late. It is Unknown in no known tier, so it denies.
func unjudged(req *change.Request, why, remedy string) policy.Verdict {
	entry := policy.Lookup(policy.CodeCannotTell)
	return policy.Verdict{
		Outcome: policy.Unknown, Lane: policy.LaneRefuse,
		Object: req.ID, Operation: req.Operation, Namespace: req.Namespace,
		Findings: []policy.Finding{{
			Code: entry.Code, Outcome: policy.Unknown, Reason: entry.Reason, Detail: why, Remedy: remedy,
		}},
	}
}

// plainStatus is the answer to an unjudged request, put together without policy's words: it must
// also work where putting a verdict into words is what failed.
func plainStatus(why, remedy string) policy.Status {
	message := "[" + string(policy.CodeCannotTell) + " CannotTell] " + why + "."
	if remedy != "" {
		message += " " + remedy
	}
	return policy.Status{
		Code: 403, Reason: "Forbidden", Message: message,
		Annotations: map[string]string{
			"outcome": policy.Unknown.String(), "lane": string(policy.LaneRefuse), "codes": string(policy.CodeCannotTell),
		},
	}
}

// unmet are the codes of the findings that are not met, in their order, each once in a row.
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
