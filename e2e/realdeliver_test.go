package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

// deliverEach delivers the groups one after the other, and of each some manifests at a time.
func (l *realLab) deliverEach(groups ...[]realManifest) {
	for _, group := range groups {
		var workers sync.WaitGroup
		queue := make(chan realManifest)
		for range senders {
			workers.Go(func() {
				for m := range queue {
					l.deliver(m)
				}
			})
		}
		for _, m := range group {
			queue <- m
		}
		close(queue)
		workers.Wait()
	}
}

// deliver makes the object and changes it, as two commits do.
func (l *realLab) deliver(m realManifest) {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m.object)}
	client, dry, err := l.place(u)
	if err != nil && !meta.IsNoMatchError(err) {
		l.t.Error(err)
		return
	}
	if err != nil {
		l.outcome.add("of a kind that the API server does not serve", 1)
		l.refused.add("no such kind: "+u.GroupVersionKind().GroupVersion().Group, 1)
		return
	}
	first := l.send(client, u, dry)
	l.book(m, "created", u, first)
	if first.err == nil && dry {
		l.outcome.add("of what was created only tried", 1)
	}
	if first.err != nil || dry {
		return
	}
	next := u.DeepCopy()
	imageChanged(next)
	second := l.send(client, next, dry)
	if second.err != nil { // what may not change in this kind
		next = u.DeepCopy()
		next.SetLabels(merged(next.GetLabels(), "real.example/release", "2"))
		second = l.send(client, next, dry)
	}
	l.book(m, "updated", next, second)
	if before, err := canon.DigestManifest(u.Object, l.types, l.key); second.err == nil && err == nil && second.result.BoundTo(before) {
		l.deny(m, u, "the changed object is bound to the manifest before the change")
	}
}

// place puts an object where no other is: the n-th of a kind and a name goes into the n-th namespace. What would
// change how the API server treats the others is only tried.
func (l *realLab) place(u *unstructured.Unstructured) (client dynamic.ResourceInterface, dry bool, err error) {
	gvk := u.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, false, err
	}
	key, prefix := gvk.GroupKind().String()+" "+u.GetName(), "real"
	if restricts(gvk.Kind) {
		key, prefix = "limits", "limited" // one to a namespace
	}
	l.mu.Lock()
	n := l.used[key]
	l.used[key]++
	l.mu.Unlock()
	dry = gvk.Group == "admissionregistration.k8s.io" || gvk.Kind == "APIService"
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		u.SetNamespace("")
		if n > 0 && !dry {
			renamed(u, fmt.Sprintf("%s-%d", u.GetName(), n))
		}
		return l.client.Resource(mapping.Resource), dry, nil
	}
	u.SetNamespace(fmt.Sprintf("%s-%d", prefix, n))
	return l.client.Resource(mapping.Resource).Namespace(u.GetNamespace()), dry, l.namespace(u.GetNamespace())
}

// namespace makes a namespace that is not there yet.
func (l *realLab) namespace(name string) error {
	l.mu.Lock()
	there := l.namespaces[name]
	l.mu.Unlock()
	if there {
		return nil
	}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := l.typed.CoreV1().Namespaces().Create(l.t.Context(), made, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	l.mu.Lock()
	l.namespaces[name] = true
	l.mu.Unlock()
	return nil
}

// renamed gives an object of the cluster another name; a Namespace may say its own in a label.
func renamed(u *unstructured.Unstructured, name string) {
	u.SetName(name)
	const label = "kubernetes.io/metadata.name"
	if labels := u.GetLabels(); u.GetKind() == "Namespace" && labels[label] != "" {
		labels[label] = name
		u.SetLabels(labels)
	}
}

func restricts(kind string) bool { return kind == "ResourceQuota" || kind == "LimitRange" }

// sent is what became of an apply.
type sent struct {
	err    error // the API server's
	seen   seen
	result canon.Result
}

// send applies an object and judges what admission was shown of it. Kinds of admission itself are never shown to
// a webhook: of these the answer stands for what admission saw.
func (l *realLab) send(client dynamic.ResourceInterface, u *unstructured.Unstructured, dry bool) (s sent) {
	raw, err := u.MarshalJSON()
	if err != nil {
		return sent{err: err}
	}
	options := metav1.PatchOptions{FieldManager: realManager, Force: new(true)}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	gvk := u.GroupVersionKind()
	key := gvk.Group + "/" + gvk.Kind + " " + u.GetNamespace() + "/" + u.GetName()
	if gvk.Kind == "Namespace" && gvk.Group == "" { // a namespace is in itself
		key = "/Namespace " + u.GetName() + "/" + u.GetName()
	}
	answer, err := client.Patch(l.t.Context(), u.GetName(), types.ApplyPatchType, raw, options)
	shown, ok := l.take(key)
	if err != nil {
		return sent{err: err}
	}
	s.seen = shown
	if gvk.Group == "admissionregistration.k8s.io" {
		s.seen = seen{Operation: change.Create, Kind: change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}}
		if s.seen.Object, err = answer.MarshalJSON(); err != nil {
			return sent{err: err}
		}
	} else if !ok {
		return sent{err: errors.New("the webhook was not called")}
	}
	b := canon.Binding{Kind: s.seen.Kind, Manager: realManager, Types: l.types, Key: l.key, Residue: true}
	if b.Object, err = canon.Parse(s.seen.Object); err != nil {
		return sent{err: err}
	}
	if old := s.seen.OldObject; len(old) > 0 && string(old) != "null" {
		if b.Old, err = canon.Parse(old); err != nil {
			return sent{err: err}
		}
	}
	s.result = canon.Bind(b)
	return s
}

var quoted = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[0-9]+`)

// book notes what became of an apply.
func (l *realLab) book(m realManifest, how string, u *unstructured.Unstructured, s sent) {
	if s.err != nil {
		l.outcome.add(how[:len(how)-1]+": refused by the API server", 1)
		text := s.err.Error()
		l.refused.add(fmt.Sprintf("%s, %s: %.120s", how, apierrors.ReasonForError(s.err), quoted.ReplaceAllString(text, "…")), 1)
		return
	}
	want, err := canon.DigestManifest(u.Object, l.types, l.key)
	if err == nil && s.result.BoundTo(want) {
		l.outcome.add(how+" and bound", 1)
		l.outcome.add(m.module+": "+how, 1)
		return
	}
	if why := unbindable(u); why != "" {
		l.outcome.add(how+" and refused: "+why, 1)
		return
	}
	l.outcome.add(how+" and denied", 1)
	text := fmt.Sprintf("%s: %s %q %v", how, s.result.Reason, s.result.Paths, err)
	if s.result.Reason == canon.Applied && err == nil {
		object, _ := canon.Parse(s.seen.Object)
		paths, err := canon.Differ(object, realManager, u.Object, l.types)
		text += fmt.Sprintf(": differs in %q %v", paths, err)
	}
	l.deny(m, u, text)
}

func (l *realLab) deny(m realManifest, u *unstructured.Unstructured, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied = append(l.denied, fmt.Sprintf("%s: %s %s: %s", m.module, u.GroupVersionKind(), u.GetName(), why))
}

// imageChanged is the next commit: another label, and where there are containers another image.
func imageChanged(u *unstructured.Unstructured) {
	u.SetLabels(merged(u.GetLabels(), "real.example/release", "2"))
	at, ok := podAt[u.GetKind()]
	if !ok {
		return
	}
	list, _, _ := unstructured.NestedFieldNoCopy(u.Object, append(append([]string{}, at...), "spec", "containers")...)
	containers, _ := list.([]any)
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok {
			c["image"] = "registry.example.com/next:2"
		}
	}
}
