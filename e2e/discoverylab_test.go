package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// endpoint is one way to write: a verb on a resource or sub-resource of one version.
type endpoint struct {
	verb       string
	gv         schema.GroupVersion
	resource   string // plural
	sub        string
	kind       string // of the resource itself
	namespaced bool
}

// place is where it writes, without the verb.
func (e endpoint) place() string {
	name := e.resource
	if e.sub != "" {
		name += "/" + e.sub
	}
	return e.gv.String() + " " + name
}

// connects reports whether the sub-resource is a connection, whichever verb opens it.
func (e endpoint) connects() bool {
	return slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, e.sub)
}

// writers are the verbs of discovery that can change something.
var writers = []string{"create", "update", "patch", "delete", "deletecollection"}

// endpoints walks everything that the API server says it serves.
func (l *serveLab) endpoints() []endpoint {
	l.t.Helper()
	_, lists, err := l.typed.Discovery().ServerGroupsAndResources()
	if err != nil {
		l.t.Fatalf("discovery: %v", err)
	}
	var all []endpoint
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			l.t.Fatal(err)
		}
		kinds := map[string]string{}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") {
				kinds[r.Name] = r.Kind
			}
		}
		for _, r := range list.APIResources {
			e := endpoint{gv: gv, namespaced: r.Namespaced}
			e.resource, e.sub, _ = strings.Cut(r.Name, "/")
			e.kind = kinds[e.resource]
			for _, verb := range r.Verbs {
				if e.verb = verb; slices.Contains(writers, verb) || e.connects() {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// everyKind is one object of each kind: those of the folder, and those from which the table of defaults
// is made.
func (l *serveLab) everyKind() map[schema.GroupVersionKind]*unstructured.Unstructured {
	l.t.Helper()
	all := map[schema.GroupVersionKind]*unstructured.Unstructured{}
	for _, file := range []string{"testdata/everykind.yaml", "../hack/defaults/corpus/objects.yaml"} {
		content, err := os.ReadFile(file)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, object := range documents(l.t, content) {
			if _, have := all[object.GroupVersionKind()]; !have {
				all[object.GroupVersionKind()] = &object
			}
		}
	}
	for kind := range crdResources {
		object := base(l.t, kind, "shop", "", "")
		all[object.GroupVersionKind()] = object
	}
	return all
}

// prober sends writes that nobody approved, each as a user of its own, so that Fairway's log says of
// which it was asked.
type prober struct {
	*serveLab
	client  rest.Interface
	objects map[schema.GroupVersionKind]*unstructured.Unstructured
	n       int
}

// standing makes one object of each kind that can be kept, while nobody judges.
func (p *prober) standing(all []endpoint) {
	p.t.Helper()
	for _, e := range all {
		object := p.objects[e.gv.WithKind(e.kind)]
		if e.verb != "create" || e.sub != "" || !slices.ContainsFunc(all, func(o endpoint) bool { return o.place() == e.place() && o.verb == "update" }) {
			continue
		}
		if object == nil {
			p.t.Errorf("there is no object of %s in testdata/everykind.yaml: add one", e.gv.WithKind(e.kind))
			continue
		}
		// What is there already, such as Fairway's own records, is as good.
		if p.existing(e) {
			continue
		}
		err := p.do("POST", p.path(e, ""), object.Object, nil)
		if err != nil && !apierrors.IsAlreadyExists(err) {
			p.t.Errorf("creating %s: %v", e.place(), err)
		}
	}
}

// existing takes a live object of Fairway's own kinds instead of the one of the tests: a forged record
// is removed, and the shop has its binding.
func (p *prober) existing(e endpoint) bool {
	if e.gv.Group != "fairway.dev" || !e.namespaced || e.kind == "BreakGlass" {
		return false
	}
	list, err := p.as("admin").Resource(e.gv.WithResource(e.resource)).Namespace("shop").List(p.t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		p.t.Fatalf("%d %s in the shop: %v", len(list.Items), e.resource, err)
	}
	p.objects[e.gv.WithKind(e.kind)] = &list.Items[0]
	return true
}

// path is the URL of an endpoint: of the collection where name is empty.
func (p *prober) path(e endpoint, name string) string {
	parts := []string{"/apis", e.gv.Group, e.gv.Version}
	if e.gv.Group == "" {
		parts = []string{"/api", e.gv.Version}
	}
	if e.namespaced {
		parts = append(parts, "namespaces", "shop")
	}
	parts = append(parts, e.resource)
	if name != "" {
		parts = append(parts, name)
	}
	if e.sub != "" {
		parts = append(parts, e.sub)
	}
	return strings.Join(parts, "/")
}

// name is that of the object that an endpoint is tried on.
func (p *prober) name(e endpoint) string {
	if e.kind == "Namespace" {
		return "shop"
	}
	if object := p.objects[e.gv.WithKind(e.kind)]; object != nil {
		return object.GetName()
	}
	return "x"
}

// probe tries an endpoint and says what became of it: refused, admitted, or unseen by Fairway.
func (p *prober) probe(e endpoint) string {
	p.t.Helper()
	p.n++
	user := fmt.Sprintf("probe-%d-%s", p.n, e.verb)
	as := func(r *rest.Request) {
		r.SetHeader("Impersonate-User", user).SetHeader("Impersonate-Group", "system:masters")
		if !e.connects() {
			r.Param("dryRun", metav1.DryRunAll)
		}
	}
	err := p.try(e, as)
	switch {
	case err != nil && strings.Contains(err.Error(), `.fairway.dev" denied the request`):
		return "refused"
	case err != nil && !apierrors.IsAlreadyExists(err):
		return "not tried: " + err.Error()
	case p.logged(user):
		return "admitted"
	}
	return "unseen"
}

// logged reports whether Fairway was asked about a user. Its line is written before it answers.
func (p *prober) logged(user string) bool {
	raw, err := os.ReadFile(filepath.Join(p.cluster.Dir, "fairway.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	return bytes.Contains(raw, []byte(`"`+user+`"`))
}

func (p *prober) try(e endpoint, as func(*rest.Request)) error {
	name := p.name(e)
	if e.connects() {
		verb := map[string]string{"create": "POST", "get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}[e.verb]
		return p.do(verb, p.path(e, name), nil, func(r *rest.Request) { as(r); r.Param("command", "sh") })
	}
	switch e.verb {
	case "create":
		if e.sub == "" {
			name = ""
		}
		return p.do("POST", p.path(e, name), p.created(e), as)
	case "update":
		live := map[string]any{}
		if err := p.get(p.path(e, name), &live); err != nil {
			return p.unread(e, err, as)
		}
		merge(live, p.mark(e))
		return p.do("PUT", p.path(e, name), live, as)
	case "patch":
		return p.do("PATCH", p.path(e, name), p.mark(e), as)
	case "delete":
		return p.do("DELETE", p.path(e, name), nil, as)
	}
	return p.do("DELETE", p.path(e, ""), nil, as) // deletecollection
}

// unread puts to a sub-resource that cannot be read, as namespaces/finalize, what stands in the object.
func (p *prober) unread(e endpoint, err error, as func(*rest.Request)) error {
	if e.sub == "" {
		return err
	}
	main, live := e, map[string]any{}
	main.sub = ""
	if err := p.get(p.path(main, p.name(e)), &live); err != nil {
		return err
	}
	merge(live, p.mark(e))
	return p.do("PUT", p.path(e, p.name(e)), live, as)
}

// created is what is sent to be created.
func (p *prober) created(e endpoint) map[string]any {
	switch e.sub {
	case "eviction":
		return map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": "x"}}
	case "binding":
		return map[string]any{"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": "x"}, "target": map[string]any{"kind": "Node", "name": "x"}}
	case "token":
		return map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{}}
	}
	object := p.objects[e.gv.WithKind(e.kind)]
	if object == nil || e.sub != "" {
		p.t.Errorf("nobody says what to send to %s: teach the test", e.place())
		return map[string]any{}
	}
	fresh := object.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(fresh.Object, "metadata", field)
	}
	return fresh.Object
}

// mark is the change that a write makes: a label and an annotation everywhere, so that no write passes
// for nothing, and what the sub-resource is for.
func (p *prober) mark(e endpoint) map[string]any {
	marked := map[string]any{"t03.example/marked": "x"}
	mark := map[string]any{"metadata": map[string]any{"labels": marked, "annotations": marked}}
	switch e.sub {
	case "status":
		if e.gv.Group == "fairway.dev" { // whose records are for Fairway alone to write
			mark["status"] = map[string]any{"observedGeneration": 99, "deliveredHead": strings.Repeat("f", 40), "revoked": "OffBranch"}
		}
	case "scale":
		return map[string]any{"spec": map[string]any{"replicas": 9}}
	case "ephemeralcontainers":
		mark["spec"] = map[string]any{"ephemeralContainers": []any{map[string]any{"name": "debug", "image": "x", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}}}
	case "resize":
		mark = map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "x", "resources": map[string]any{
			"requests": map[string]any{"cpu": "300m"}, "limits": map[string]any{"cpu": "400m"}}}}}}
	case "approval":
		mark["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Approved", "status": "True", "reason": "x", "message": "x"}}}
	}
	return mark
}

// merge writes a change into an object; of lists it takes those of one item, into the first.
func merge(into, change map[string]any) {
	for k, v := range change {
		switch v := v.(type) {
		case map[string]any:
			inner, ok := into[k].(map[string]any)
			if !ok {
				inner = map[string]any{}
			}
			merge(inner, v)
			into[k] = inner
		case []any:
			list, _ := into[k].([]any)
			if item, ok := v[0].(map[string]any); ok && len(list) == 1 {
				merge(list[0].(map[string]any), item)
				continue
			}
			into[k] = v
		default:
			into[k] = v
		}
	}
}

func (p *prober) do(verb, path string, body map[string]any, adjust func(*rest.Request)) error {
	r := p.client.Verb(verb).AbsPath(path).SetHeader("Content-Type", "application/json")
	if verb == "PATCH" {
		kind := types.MergePatchType
		if strings.HasSuffix(path, "/resize") || strings.HasSuffix(path, "/ephemeralcontainers") {
			kind = types.StrategicMergePatchType
		}
		r = p.client.Patch(kind).AbsPath(path)
	}
	if adjust != nil {
		adjust(r)
	}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = r.Body(raw)
	}
	return r.Do(p.t.Context()).Error()
}

func (p *prober) get(path string, into any) error {
	raw, err := p.client.Get().AbsPath(path).Do(p.t.Context()).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// outcomes tries all endpoints and gives, for each place, the verbs by what became of them.
func (p *prober) outcomes(all []endpoint) (refused int, others map[string]string) {
	p.t.Helper()
	byPlace := map[string]map[string][]string{}
	for _, e := range all {
		got := p.probe(e)
		if got == "refused" {
			refused++
			continue
		}
		if byPlace[e.place()] == nil {
			byPlace[e.place()] = map[string][]string{}
		}
		byPlace[e.place()][got] = append(byPlace[e.place()][got], e.verb)
	}
	others = map[string]string{}
	for place, outcomes := range byPlace {
		var text []string
		for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
			slices.Sort(outcomes[outcome])
			text = append(text, outcome+": "+strings.Join(outcomes[outcome], " "))
		}
		others[place] = strings.Join(text, "; ")
	}
	return refused, others
}

// sealed makes the whole cluster gated: its own scope by the cluster binding, and every namespace that
// has no binding by the default tier.
func (p *prober) sealAll() {
	p.t.Helper()
	binding := manifest(p.t, clusterBinding("production"))
	p.admitted(p.apply("admin", "admin", binding))
	class := p.objects[schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}]
	p.until("the cluster's scope is gated", func(ctx context.Context) error {
		_, err := p.on("admin", class).Patch(ctx, "x", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return fmt.Errorf("a StorageClass can still be changed")
		}
		return nil
	})
}
