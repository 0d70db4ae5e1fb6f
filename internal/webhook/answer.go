package webhook

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairway-dev/fairway/internal/policy"
)

// appendAnswer writes the AdmissionReview that answers the request with this uid. It is written by
// hand because reflection costs more than all else that a no-op request needs.
func appendAnswer(b []byte, uid string, a *policy.Status) []byte {
	b = append(b, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	b = quote(b, uid)
	b = append(b, `,"allowed":`...)
	b = strconv.AppendBool(b, a.Allowed)
	if !a.Allowed {
		b = appendStatus(b, a)
	}
	if len(a.Annotations) > 0 {
		b = appendAnnotations(b, a.Annotations)
	}
	for i, w := range a.Warnings {
		b = append(b, opening(i, `,"warnings":[`)...)
		b = quote(b, w)
	}
	if len(a.Warnings) > 0 {
		b = append(b, ']')
	}
	return append(b, "}}\n"...)
}

// appendAnnotations writes what goes into the API server's audit log, in the order of the keys.
func appendAnnotations(b []byte, annotations map[string]string) []byte {
	var few [16]string
	keys := few[:0]
	for key := range annotations {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		b = append(b, opening(i, `,"auditAnnotations":{`)...)
		b = append(quote(b, key), ':')
		b = quote(b, annotations[key])
	}
	return append(b, '}')
}

// appendStatus writes why the request is denied.
func appendStatus(b []byte, a *policy.Status) []byte {
	b = append(b, `,"status":{"status":"Failure","code":`...)
	b = strconv.AppendInt(b, int64(a.Code), 10)
	b = append(b, `,"reason":`...)
	b = quote(b, a.Reason)
	b = append(b, `,"message":`...)
	b = quote(b, a.Message)
	if a.RetryAfterSeconds > 0 || len(a.Causes) > 0 {
		b = append(b, `,"details":{"retryAfterSeconds":`...)
		b = strconv.AppendInt(b, int64(a.RetryAfterSeconds), 10)
		for i, c := range a.Causes {
			b = append(b, opening(i, `,"causes":[`)...)
			b = append(b, `{"reason":`...)
			b = quote(b, c.Type)
			b = append(b, `,"message":`...)
			b = append(quote(b, c.Message), '}')
		}
		if len(a.Causes) > 0 {
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
