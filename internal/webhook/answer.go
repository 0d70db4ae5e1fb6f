package webhook

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// pair is one audit annotation.
type pair struct{ key, value string }

// answer is an AdmissionResponse in parts. The zero answer denies.
type answer struct {
	allowed     bool
	code        int    // HTTP status of a denial
	reason      string // metav1.StatusReason of a denial
	message     string
	retryAfter  int // seconds; 0: do not retry
	causes      []cause
	annotations []pair
	warnings    []string
}

// cause is one metav1.StatusCause.
type cause struct{ kind, message string }

// append writes the AdmissionReview that answers the request with this uid. It is written by hand
// because reflection costs more than all else that a no-op request needs.
func (a *answer) append(b []byte, uid string) []byte {
	b = append(b, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	b = quote(b, uid)
	b = append(b, `,"allowed":`...)
	b = strconv.AppendBool(b, a.allowed)
	if !a.allowed {
		b = a.appendStatus(b)
	}
	for i, p := range a.annotations {
		b = append(b, opening(i, `,"auditAnnotations":{`)...)
		b = append(quote(b, p.key), ':')
		b = quote(b, p.value)
	}
	if len(a.annotations) > 0 {
		b = append(b, '}')
	}
	for i, w := range a.warnings {
		b = append(b, opening(i, `,"warnings":[`)...)
		b = quote(b, w)
	}
	if len(a.warnings) > 0 {
		b = append(b, ']')
	}
	return append(b, "}}\n"...)
}

// appendStatus writes why the request is denied.
func (a *answer) appendStatus(b []byte) []byte {
	b = append(b, `,"status":{"status":"Failure","code":`...)
	b = strconv.AppendInt(b, int64(a.code), 10)
	b = append(b, `,"reason":`...)
	b = quote(b, a.reason)
	b = append(b, `,"message":`...)
	b = quote(b, a.message)
	if a.retryAfter > 0 || len(a.causes) > 0 {
		b = append(b, `,"details":{"retryAfterSeconds":`...)
		b = strconv.AppendInt(b, int64(a.retryAfter), 10)
		for i, c := range a.causes {
			b = append(b, opening(i, `,"causes":[`)...)
			b = append(b, `{"reason":`...)
			b = quote(b, c.kind)
			b = append(b, `,"message":`...)
			b = append(quote(b, c.message), '}')
		}
		if len(a.causes) > 0 {
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

// opening is what stands before element number i of a list.
func opening(i int, first string) string {
	if i == 0 {
		return first
	}
	return ","
}

// quote appends a JSON string; invalid UTF-8 becomes U+FFFD.
func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// cut is s with at most n bytes, without half a character at the end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
