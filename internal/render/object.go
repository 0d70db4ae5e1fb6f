package render

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fairway-dev/fairway/internal/change"
)

// Place says where an object belongs, as seen from the namespace that is rendered for.
type Place int8

// The places. The zero value is the one that proves nothing.
const (
	PlaceUnknown Place = iota // nobody knows whether objects of this kind live in a namespace
	Here                      // in the namespace that is rendered for
	Elsewhere                 // in another namespace
	ClusterWide               // in none
)

// String is the place for people and logs.
func (p Place) String() string {
	switch p {
	case Here:
		return "here"
	case Elsewhere:
		return "elsewhere"
	case ClusterWide:
		return "cluster-wide"
	}
	return "unknown"
}

// Object is one rendered object.
type Object struct {
	// ID is the identity that the object will have in the cluster: the namespace is filled in where
	// the manifest leaves it out, and left out where the kind has none.
	ID      change.ObjectID
	Version string // API version of the manifest, without the group
	Place   Place
	File    string         // the manifest's; empty where a kustomization made it
	Content map[string]any // JSON values: string, bool, int64, float64, nil, []any and map[string]any
}

// collector turns the documents of a source into its objects.
type collector struct {
	limits    Limits
	namespace string
	fill      string // the namespace of objects that name none; empty: namespace
	scope     Scope
	objects   []Object
	size      int // of all objects, as Limits.Rendered counts it
}

// add takes one document in. A list stands for its items.
func (c *collector) add(r reader, v value, level int) error {
	m, isMap := v.json.(map[string]any)
	if !isMap {
		return r.refuse(Malformed, v.line, "holds a document that is no object of Kubernetes")
	}
	items, listed := m["items"]
	if listed {
		return c.addList(r, v, m, items, level)
	}
	object, err := identify(r, v.line, m)
	if err != nil {
		return err
	}
	if c.objects = append(c.objects, object); len(c.objects) > c.limits.Objects {
		return r.refuse(TooLarge, v.line, "is where this source passes %d objects", c.limits.Objects)
	}
	// A base that is used a thousand times multiplies what was read; what comes out is digested elsewhere,
	// by a process that holds more than this source.
	if c.size += weight(m); c.size > c.limits.Rendered {
		return r.refuse(TooLarge, v.line, "is where this source passes %d bytes of objects", c.limits.Rendered)
	}
	return nil
}

// weight is about how many bytes a JSON value takes: its names and texts, and eight for each value.
func weight(v any) int {
	size := 8
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			size += len(name) + weight(child)
		}
	case []any:
		for _, child := range v {
			size += weight(child)
		}
	case string:
		size += len(v)
	}
	return size
}

// addList takes the items of a list in. kubectl takes everything that has items for a list,
// kustomize goes by the name of the kind; and they fill in an item without a kind differently.
func (c *collector) addList(r reader, v value, m map[string]any, items any, level int) error {
	kind, _ := m["kind"].(string)
	if !strings.HasSuffix(kind, "List") {
		return r.refuse(Ambiguous, v.line, "holds an object with items whose kind does not end in List: kubectl takes it for a list, kustomize does not")
	}
	if level >= c.limits.Depth {
		return r.refuse(TooLarge, v.line, "holds more than %d lists inside each other", c.limits.Depth)
	}
	list, isList := items.([]any)
	if !isList && items != nil {
		return r.refuse(Malformed, v.line, "holds a %s whose items are no list", cut(kind))
	}
	for _, item := range list {
		if err := c.add(r, value{json: item, line: v.line}, level+1); err != nil {
			return err
		}
	}
	return nil
}

// identify checks what makes a document an object with an identity.
func identify(r reader, line int, m map[string]any) (Object, error) {
	apiVersion, _ := m["apiVersion"].(string)
	kind, _ := m["kind"].(string)
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" || kind == "" || !validType(gv, kind) {
		return Object{}, r.refuse(Malformed, line, "holds a document without a valid apiVersion and kind")
	}
	what := kind
	meta, _ := m["metadata"].(map[string]any)
	if generate, set := meta["generateName"]; set && generate != "" && generate != nil {
		return Object{}, r.refuse(GeneratedName, line, "holds a %s with metadata.generateName: the API server would name it, so no approval can; give it a name", what)
	}
	name, _ := meta["name"].(string)
	if name == "" || len(name) > 253 || len(content.IsPathSegmentName(name)) > 0 || strings.ContainsFunc(name, unprintable) {
		return Object{}, r.refuse(Malformed, line, "holds a %s without a valid metadata.name", what)
	}
	what += " " + name
	namespace, isString := meta["namespace"].(string)
	if ns := meta["namespace"]; ns != nil && !isString || namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0 {
		return Object{}, r.refuse(Malformed, line, "holds %s with a metadata.namespace that is no name of a namespace", what)
	}
	if _, encrypted := m["sops"].(map[string]any); encrypted {
		return Object{}, r.refuse(Encrypted, line, "holds %s encrypted with SOPS, which only its engine can read", what)
	}
	return Object{
		ID:      change.ObjectID{Group: gv.Group, Kind: kind, Namespace: namespace, Name: name},
		Version: gv.Version, File: r.file, Content: m,
	}, nil
}

func validType(gv schema.GroupVersion, kind string) bool {
	return (gv.Group == "" || len(validation.IsDNS1123Subdomain(gv.Group)) == 0) &&
		len(validation.IsDNS1035Label(gv.Version)) == 0 &&
		len(validation.IsDNS1035Label(strings.ToLower(kind))) == 0
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }

// finish places the objects, refuses identities that come twice, and sorts.
func (c *collector) finish() ([]Object, error) {
	defined := scopes(c.objects)
	for i := range c.objects {
		c.place(&c.objects[i], defined)
	}
	slices.SortStableFunc(c.objects, func(a, b Object) int {
		return cmp.Or(a.ID.Compare(b.ID), cmp.Compare(a.File, b.File))
	})
	for i := 1; i < len(c.objects); i++ {
		a, b := c.objects[i-1], c.objects[i]
		if a.ID != b.ID {
			continue
		}
		if a.File == "" {
			return nil, refuse(Duplicate, "", "%s is rendered twice", a.ID)
		}
		return nil, refuse(Duplicate, b.File, "%s stands in %s too", b.ID, plainName(a.File))
	}
	return c.objects, nil
}

// place fills in or clears the namespace, as the API server and the engines do.
func (c *collector) place(o *Object, defined map[schema.GroupKind]bool) {
	namespaced, known := builtin(o.ID.Group, o.ID.Kind)
	if !known {
		namespaced, known = defined[schema.GroupKind{Group: o.ID.Group, Kind: o.ID.Kind}]
	}
	if !known && c.scope != nil {
		namespaced, known = c.scope.Namespaced(o.ID.Group, o.Version, o.ID.Kind)
	}
	if !known {
		return
	}
	meta, _ := o.Content["metadata"].(map[string]any) // identify found a name in it
	if !namespaced {
		o.Place, o.ID.Namespace = ClusterWide, ""
		delete(meta, "namespace")
		return
	}
	if o.ID.Namespace == "" {
		o.ID.Namespace = cmp.Or(c.fill, c.namespace)
		meta["namespace"] = o.ID.Namespace
	}
	o.Place = Elsewhere
	if o.ID.Namespace == c.namespace {
		o.Place = Here
	}
}

// isCRD reports whether an object defines a kind.
func isCRD(o Object) bool {
	return o.ID.Group == "apiextensions.k8s.io" && o.ID.Kind == "CustomResourceDefinition"
}

// scopes are the kinds that the objects themselves define (ruling 23): true where they live in a
// namespace. What a definition cannot be read for is left to others, and the API server refuses it.
func scopes(objects []Object) map[schema.GroupKind]bool {
	defined := map[schema.GroupKind]bool{}
	for _, o := range objects {
		if !isCRD(o) {
			continue
		}
		spec, _ := o.Content["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		kind, _ := names["kind"].(string)
		group, _ := spec["group"].(string)
		switch scope, _ := spec["scope"].(string); scope {
		case "Namespaced":
			defined[schema.GroupKind{Group: group, Kind: kind}] = true
		case "Cluster":
			defined[schema.GroupKind{Group: group, Kind: kind}] = false
		}
	}
	return defined
}
