package schema

import (
	"encoding/base64"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// derive does what the API server does to a manifest beyond its Go type and beyond constants, which
// are the table's of canon: it moves a Secret's stringData, and fills in what it derives from other
// fields inside a list that is owned as a whole. Anything that is not
// shaped as expected is left alone: the API server will refuse it.
func derive(gvk schema.GroupVersionKind, o map[string]any) {
	switch gvk.GroupKind() {
	case schema.GroupKind{Kind: "Secret"}:
		foldStringData(o)
	case schema.GroupKind{Kind: "Pod"}:
		deriveTolerations(child(o, "spec"))
	case schema.GroupKind{Kind: "Service"}:
		each(child(o, "spec")["ports"], deriveTarget)
	case schema.GroupKind{Kind: "LimitRange"}:
		each(child(o, "spec")["limits"], deriveLimits)
	case schema.GroupKind{Group: "resource.k8s.io", Kind: "ResourceClaim"}:
		deriveDevices(child(o, "spec"))
	case schema.GroupKind{Group: "resource.k8s.io", Kind: "ResourceClaimTemplate"}:
		deriveDevices(child(child(o, "spec"), "spec"))
	}
}

// foldStringData: what stands in stringData wins over data, and is kept there.
func foldStringData(secret map[string]any) {
	for name, v := range child(secret, "stringData") {
		data := child(secret, "data")
		if data == nil {
			data = map[string]any{}
			secret["data"] = data
		}
		if s, ok := v.(string); ok {
			data[name] = base64.StdEncoding.EncodeToString([]byte(s))
		}
	}
	delete(secret, "stringData")
}

// deriveTolerations: behind the tolerations of a pod come two for five minutes, each unless one of those
// that were sent speaks of its taint. Where none was sent, canon's table speaks of the two.
// Source: Admit in k8s.io/kubernetes/plugin/pkg/admission/defaulttolerationseconds/admission.go.
func deriveTolerations(spec map[string]any) {
	sent, _ := spec["tolerations"].([]any)
	if len(sent) == 0 {
		return
	}
	all := slices.Clone(sent)
	for _, taint := range [...]string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} {
		if !slices.ContainsFunc(sent, func(toleration any) bool { return tolerates(toleration, taint) }) {
			all = append(all, map[string]any{"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": int64(300)})
		}
	}
	spec["tolerations"] = all
}

// tolerates reports whether a toleration speaks of the execution beside a taint, or of everything.
func tolerates(toleration any, taint string) bool {
	m, _ := toleration.(map[string]any)
	key, _ := m["key"].(string)
	effect, _ := m["effect"].(string)
	return (key == taint || key == "") && (effect == "NoExecute" || effect == "")
}

// deriveTarget: a port of a service that names no target is sent on to the same port. Flux writes
// the number 0 for none.
func deriveTarget(port map[string]any) {
	if target := port["targetPort"]; target == int64(0) || target == "" {
		port["targetPort"] = port["port"]
	}
}

// deriveLimits: the default limit of a container is its maximum, the default request the default
// limit or else the minimum.
func deriveLimits(limit map[string]any) {
	if limit["type"] != "Container" {
		return
	}
	for _, from := range [...][2]string{{"max", "default"}, {"default", "defaultRequest"}, {"min", "defaultRequest"}} {
		source, _ := limit[from[0]].(map[string]any)
		target, _ := limit[from[1]].(map[string]any)
		for name, quantity := range source {
			if target == nil {
				target = map[string]any{}
				limit[from[1]] = target
			}
			if _, ok := target[name]; !ok {
				target[name] = quantity
			}
		}
	}
}

// deriveDevices: a request that counts devices and names no number asks for one.
func deriveDevices(spec map[string]any) {
	count := func(request map[string]any) {
		mode, _ := request["allocationMode"].(string)
		if _, ok := request["count"]; !ok && (mode == "" || mode == "ExactCount") {
			request["count"] = int64(1)
		}
	}
	each(child(spec, "devices")["requests"], func(request map[string]any) {
		if exactly := child(request, "exactly"); exactly != nil {
			count(exactly)
		}
		each(request["firstAvailable"], count)
	})
}

// child is the map at a name, or nil.
func child(o map[string]any, name string) map[string]any {
	m, _ := o[name].(map[string]any)
	return m
}

// each calls f for every map in a list.
func each(list any, f func(map[string]any)) {
	items, _ := list.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			f(m)
		}
	}
}
