package canon

import (
	"reflect"
	"strconv"
	"strings"
)

// A StatefulSet or a DaemonSet keeps each template that it had in a ControllerRevision, as the patch
// {"spec":{"template":{…,"$patch":"replace"}}}. A StatefulSet makes Pods from them: where the partition of its
// rolling update holds an ordinal back, a Pod that is lost comes again as it was before.
// Source: getPatch and newVersionedStatefulSetPod in pkg/controller/statefulset of k8s.io/kubernetes.

// revisionOf reports whether a revision holds nothing but the template that its owner has now, and known
// whether the owner keeps revisions at all.
func revisionOf(owner, revision *Object) (made, known bool) {
	template, known := field(field(owner.doc.value(0), "spec"), "template").(map[string]any)
	kept, ok := keptTemplate(revision)
	return ok && known && reflect.DeepEqual(withoutNulls(template), withoutNulls(kept)), known
}

// keptTemplate is the template that a revision holds; ok is false where it holds anything else.
func keptTemplate(revision *Object) (template map[string]any, ok bool) {
	data, _ := field(revision.doc.value(0), "data").(map[string]any)
	spec, _ := data["spec"].(map[string]any)
	template, _ = spec["template"].(map[string]any)
	if len(data) != 1 || len(spec) != 1 || template["$patch"] != "replace" {
		return nil, false
	}
	delete(template, "$patch") // of a copy: value makes one
	return template, true
}

// withoutNulls leaves out what a Go type spells out or not: members that are null.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			if member != nil {
				out[name] = withoutNulls(member)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNulls(v[i])
		}
		return out
	}
	return v
}

// HeldBack is the name of the ControllerRevision that a Pod says it is made from, where the partition of its
// StatefulSet holds the Pod's ordinal back; empty for every other Pod. What it names proves nothing by itself.
func HeldBack(set, pod *Object) string {
	if set.meta.Kind.Group != "apps" || set.meta.Kind.Kind != "StatefulSet" || pod.meta.Kind.Group != "" || pod.meta.Kind.Kind != "Pod" {
		return ""
	}
	ordinal, ok := strings.CutPrefix(pod.meta.Name, set.meta.Name+"-")
	n, err := strconv.ParseInt(ordinal, 10, 32)
	if !ok || err != nil {
		return ""
	}
	spec := field(set.doc.value(0), "spec")
	strategy := field(spec, "updateStrategy")
	partition, _ := field(field(strategy, "rollingUpdate"), "partition").(int64)
	start, _ := field(field(spec, "ordinals"), "start").(int64)
	if field(strategy, "type") != "RollingUpdate" || n >= start+partition {
		return ""
	}
	return pod.Meta().Labels["controller-revision-hash"]
}

// AtRevision is a StatefulSet with the template of a revision that it keeps. Not ok: the revision is of
// another owner, or holds something else.
func AtRevision(set, revision *Object) (*Object, bool) {
	owned := false
	for _, o := range revision.Meta().Owners {
		owned = owned || o.Controller && o.UID != "" && o.UID == set.meta.UID
	}
	template, ok := keptTemplate(revision)
	before := set.plain()
	spec, isMap := before["spec"].(map[string]any)
	if !owned || !ok || !isMap {
		return nil, false
	}
	spec["template"] = template
	object, err := encodeManifest(before)
	return object, err == nil
}
