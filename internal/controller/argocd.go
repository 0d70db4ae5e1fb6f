package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The annotations of an Application that Argo CD shows above it, from version 3.5 on.
const (
	noticeContent  = "notice.argocd.argoproj.io/content"
	noticeSeverity = "notice.argocd.argoproj.io/severity"
	noticeLimit    = 500 // characters
)

// ArgoCD tells the Applications that deliver gated sources how their commits were judged, and starts a
// sync anew that was refused and would be admitted now: after its own retries Argo CD never tries the
// same commit again, so that an approval that comes late would change nothing.
//
// It needs the right to get and patch Applications; where it has none it does nothing. Nothing that it
// writes is believed by anybody: what a sync delivers is judged as ever.
type ArgoCD struct {
	Client dynamic.Interface
	World  func() *tier.World
	Proofs Archive

	retried map[objectName]attempts
}

// attempts is how often the sync of a commit was started anew.
type attempts struct {
	commit string
	times  int
}

// attemptLimit bounds that: what fails again and again has another reason.
const attemptLimit = 3

// Write brings every Application up to date. It is not for concurrent use.
func (a *ArgoCD) Write(ctx context.Context) error {
	w := a.World()
	told := map[objectName][]deliveredSource{}
	var order []objectName
	for _, b := range Gated(w) {
		t, ok := w.Tiers[b.Tier]
		if !ok {
			continue
		}
		for _, s := range b.Sources {
			namespace, name, qualified := strings.Cut(s.Via.Owner, "/")
			if s.Via.Engine != "ArgoCD" || !qualified {
				continue
			}
			app := objectName{namespace, name}
			if told[app] == nil {
				order = append(order, app)
			}
			key := change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}
			told[app] = append(told[app], deliveredSource{tier: t, status: sourceStatus(s.Name, t, a.Proofs.Known(key), ""), proofs: a.Proofs.Known(key)})
		}
	}
	var problems []error
	for _, app := range order {
		if err := a.tell(ctx, app, told[app]); err != nil {
			problems = append(problems, fmt.Errorf("telling Application %s/%s: %w", app.namespace, app.name, err))
		}
	}
	return errors.Join(problems...)
}

// deliveredSource is one source of an Application, as it stands.
type deliveredSource struct {
	tier   tier.Tier
	status v1alpha1.SourceStatus
	proofs []change.Proof
}

func (a *ArgoCD) tell(ctx context.Context, app objectName, sources []deliveredSource) error {
	applications := schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
	client := a.Client.Resource(applications).Namespace(app.namespace)
	live, err := client.Get(ctx, app.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil // there is none, or nobody allowed it
	case err != nil:
		return err
	}
	patch := map[string]any{}
	content, severity := notice(sources)
	if notes := live.GetAnnotations(); notes[noticeContent] != content || notes[noticeSeverity] != severity {
		patch["metadata"] = map[string]any{"annotations": map[string]any{noticeContent: content, noticeSeverity: severity}}
	}
	commit, operation := again(live.Object, sources)
	tried := a.retried[app]
	if tried.commit != commit {
		tried = attempts{commit: commit}
	}
	if commit != "" && tried.times < attemptLimit {
		patch["operation"] = operation
	}
	if len(patch) == 0 {
		return nil
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = client.Patch(ctx, app.name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "fairway"})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && patch["operation"] != nil {
		if a.retried == nil {
			a.retried = map[objectName]attempts{}
		}
		tried.times++
		a.retried[app] = tried
	}
	return err
}

// notice is what people read above an Application.
func notice(sources []deliveredSource) (content, severity string) {
	severity = "info"
	var lines []string
	for _, s := range sources {
		line := fmt.Sprintf("Fairway, tier %s, source %s: no commit was judged yet", s.tier.Name, s.status.Name)
		if s.status.Commit != "" {
			line = fmt.Sprintf("Fairway, tier %s, source %s at %.12s: %s", s.tier.Name, s.status.Name, s.status.Commit, s.status.Verdict)
		}
		if s.status.Verdict != v1alpha1.VerdictAllow {
			severity = "warning"
			if s.status.Message != "" {
				line += ". " + strings.ReplaceAll(s.status.Message, "\n", "; ")
			}
		}
		lines = append(lines, line)
	}
	return cut(strings.Join(lines, "\n"), noticeLimit), severity
}

// again is the sync to start once more, and its commits in one word: the last one ended in a refusal of
// Fairway, none is under way, the Application syncs by itself, and the commits are admitted now. Where one
// of these is not so the word is empty.
func again(app map[string]any, sources []deliveredSource) (commit string, operation map[string]any) {
	state, _, _ := unstructured.NestedMap(app, "status", "operationState")
	automated, syncs, _ := unstructured.NestedMap(app, "spec", "syncPolicy", "automated")
	if _, underWay := app["operation"]; underWay || state == nil || !syncs {
		return "", nil
	}
	if enabled, set := automated["enabled"].(bool); set && !enabled {
		return "", nil
	}
	phase, _ := state["phase"].(string)
	if phase != "Failed" && phase != "Error" || !refusedByUs(state) {
		return "", nil
	}
	sync, commits := lastTried(app, state)
	if !admitted(commits, sources) {
		return "", nil
	}
	if prune, _ := automated["prune"].(bool); prune {
		sync["prune"] = true
	}
	if options, found, _ := unstructured.NestedStringSlice(app, "spec", "syncPolicy", "syncOptions"); found {
		sync["syncOptions"] = options
	}
	operation = map[string]any{
		"initiatedBy": map[string]any{"username": "fairway", "automated": true}, "sync": sync,
		"info": []any{map[string]any{"name": "Reason", "value": "Fairway admits the commit now"}},
	}
	if retry, found, _ := unstructured.NestedMap(app, "spec", "syncPolicy", "retry"); found {
		operation["retry"] = retry
	}
	return strings.Join(commits, " "), operation
}

// lastTried is the sync that names what the last one tried, and the commits: one, or one for each of
// several sources. Where these are not as many as the sources are now Argo CD syncs by itself, and there
// are none.
func lastTried(app, state map[string]any) (sync map[string]any, commits []string) {
	if sources, _, _ := unstructured.NestedSlice(app, "spec", "sources"); len(sources) > 0 {
		for _, at := range [][]string{{"syncResult", "revisions"}, {"operation", "sync", "revisions"}} {
			if commits, _, _ = unstructured.NestedStringSlice(state, at...); len(commits) == len(sources) {
				return map[string]any{"revisions": commits}, commits
			}
		}
		return nil, nil
	}
	for _, at := range [][]string{{"syncResult", "revision"}, {"operation", "sync", "revision"}} {
		if commit, _, _ := unstructured.NestedString(state, at...); commit != "" {
			return map[string]any{"revision": commit}, []string{commit}
		}
	}
	return nil, nil
}

// admitted reports whether commits are admitted by the tier of every source that they change: of a source
// that a commit leaves as it was there is no proof.
func admitted(commits []string, sources []deliveredSource) bool {
	changes := false
	for _, s := range sources {
		for _, commit := range commits {
			i := slices.IndexFunc(s.proofs, func(p change.Proof) bool { return p.Commit == commit })
			if i >= 0 && !admits(s.proofs[i], s.tier.Name) {
				return false
			}
			changes = changes || i >= 0
		}
	}
	return changes
}

// refusedByUs reports whether the messages of an operation tell of one of our webhooks. Who forges them
// gains a sync of what is admitted.
func refusedByUs(state map[string]any) bool {
	raw, err := json.Marshal(state)
	return err == nil && strings.Contains(string(raw), `.fairway.dev`)
}
