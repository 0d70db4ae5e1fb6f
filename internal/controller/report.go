package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Reports writes what audits found as Reports of openreports.io, one for each binding, for the tools that
// read them. They stand in Fairway's own namespace: in that of the binding they would be content that Git
// does not render, and its people could rewrite them.
//
// A Report is for people. Nothing is judged by one, and where the cluster does not have the kind, none is
// written. The zero value is not ready: all fields are needed.
type Reports struct {
	Client    client.Client // not from a cache
	Namespace string        // Fairway's own
}

// reportLimit bounds the results of one Report; the summary counts all.
const reportLimit = 500

// ReportSource says in a Report who wrote it.
const ReportSource = "fairway"

// Write brings the Report of a binding up to date with an audit. One that says the same already is left
// alone, so that a quiet cluster is not written to at each audit.
func (r *Reports) Write(ctx context.Context, b tier.Binding, sweep Sweep) error {
	want := r.report(b, sweep)
	var have openreports.Report
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), &have)
	switch {
	case absent(err):
		return nil
	case apierrors.IsNotFound(err):
		err = r.Client.Create(ctx, want)
	case err == nil && !same(&have, want):
		want.ResourceVersion = have.ResourceVersion
		err = r.Client.Update(ctx, want)
	}
	if err != nil && !absent(err) {
		return fmt.Errorf("writing the report of namespace %q: %w", b.Namespace, err)
	}
	return nil
}

// Prune removes the Reports of bindings that are no more.
func (r *Reports) Prune(ctx context.Context, bindings []tier.Binding) error {
	var all openreports.ReportList
	err := r.Client.List(ctx, &all, client.InNamespace(r.Namespace), client.MatchingLabels{managedBy: ReportSource})
	if absent(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("listing reports: %w", err)
	}
	kept := map[string]bool{}
	for _, b := range bindings {
		kept[reportName(b)] = true
	}
	var problems []error
	for i := range all.Items {
		if report := &all.Items[i]; !kept[report.Name] {
			problems = append(problems, client.IgnoreNotFound(r.Client.Delete(ctx, report)))
		}
	}
	return errors.Join(problems...)
}

// managedBy is the label that tells whose an object is.
const managedBy = "app.kubernetes.io/managed-by"

func reportName(b tier.Binding) string { return "audit-" + b.Name + "-" + b.Namespace }

// absent reports whether the cluster does not have the kind.
func absent(err error) bool {
	return meta.IsNoMatchError(err) || err != nil && apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource")
}

// same compares what two Reports say, whenever they said it.
func same(have, want *openreports.Report) bool {
	a := have.DeepCopy()
	for i := range a.Results {
		if i < len(want.Results) {
			a.Results[i].Timestamp = want.Results[i].Timestamp
		}
	}
	return a.Source == want.Source && a.Summary == want.Summary && equality.Semantic.DeepEqual(a.Scope, want.Scope) &&
		equality.Semantic.DeepEqual(a.Results, want.Results)
}

// report is what an audit amounts to. What differs comes first; what is as it was delivered is counted and
// not listed, since it is most of a cluster and tells nothing.
func (r *Reports) report(b tier.Binding, sweep Sweep) *openreports.Report {
	out := &openreports.Report{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: reportName(b), Labels: map[string]string{managedBy: ReportSource},
		},
		Source: ReportSource,
		Scope:  &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: b.Namespace},
		Summary: openreports.ReportSummary{
			Pass: len(sweep.Bound) + len(sweep.Behind), Fail: len(sweep.Drifted),
			Warn: len(sweep.Missing) + len(sweep.Inherited), Error: len(sweep.Unread),
		},
	}
	beside := map[string]string{}
	for _, f := range sweep.Beside {
		beside[f.Object] = strings.Join(f.Fields[:min(len(f.Fields), namesShown)], ", ")
	}
	list := func(ids []change.ObjectID, rule string, is openreports.Result, severity openreports.ResultSeverity, text string) {
		for _, id := range ids[:min(len(ids), reportLimit-len(out.Results))] {
			result := openreports.ReportResult{
				Source: ReportSource, Policy: b.Tier, Rule: rule, Category: "Provenance", Severity: severity, Result: is, Scored: is == "fail",
				Description: text, Timestamp: metav1.Timestamp{Seconds: sweep.At.Unix()},
				Subjects: []corev1.ObjectReference{{Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}},
			}
			if fields := beside[id.String()]; fields != "" {
				result.Description += "; Git does not set: " + fields
			}
			out.Results = append(out.Results, result)
		}
	}
	list(sweep.Drifted, "as-delivered", "fail", "high", "the live object is not what was delivered")
	list(sweep.Missing, "present", "warn", "medium", "proven, and not there")
	list(sweep.Inherited, "accounted-for", "warn", "low", "there, and no proof speaks of it")
	list(sweep.Behind, "up-to-date", "pass", "info", "still as an older delivered commit has it")
	for _, why := range sweep.Unread[:min(len(sweep.Unread), reportLimit-len(out.Results))] {
		out.Results = append(out.Results, openreports.ReportResult{
			Source: ReportSource, Policy: b.Tier, Rule: "readable", Category: "Provenance", Severity: "high", Result: "error",
			Description: cut(why, messageLimit), Timestamp: metav1.Timestamp{Seconds: sweep.At.Unix()},
		})
	}
	return out
}
