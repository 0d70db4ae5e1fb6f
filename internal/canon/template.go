package canon

import (
	"encoding/json"
	"maps"
)

// FromTemplate reports whether child is what the template of its owner asks for, and known whether
// that can be told: the owner's kind has a template, and child is of the kind that it makes.
//
// Every field of the template must stand in child with its value, and child holds nothing else but
// what the built-in controllers and the admission plug-ins of the API server add, in a closed list,
// and what tolerate covers: a mutating webhook that adds a container to an approved workload is no
// more welcome in its pods than in itself (rulings 16 and 18).
func FromTemplate(owner, child *Object, t *Type, tolerate ...PathPattern) (made, known bool) {
	template, rule, known := templateOf(owner, child)
	if !known {
		return false, false
	}
	expected, err := json.Marshal(template)
	if err != nil {
		return false, false
	}
	asked, err := Parse(expected)
	if err != nil {
		return false, false
	}
	d, err := Compare(asked, child, t)
	if err != nil {
		return false, false
	}
	allowed := tolerate
	for _, text := range rule {
		p, err := ParsePattern(text)
		if err != nil {
			return false, false
		}
		allowed = append(allowed[:len(allowed):len(allowed)], p)
	}
	return len(d.Outside(allowed...)) == 0, true
}

// childMeta is what each child has of its own.
var childMeta = []string{
	"metadata.name", "metadata.generateName", "metadata.namespace", "metadata.uid", "metadata.creationTimestamp",
	"metadata.ownerReferences", "status",
}

// podAdditions are what controllers and the API server's own admission plug-ins add to a pod.
var podAdditions = []string{
	`metadata.labels["pod-template-hash"]`, `metadata.labels["controller-revision-hash"]`,
	`metadata.labels["pod-template-generation"]`, `metadata.labels["statefulset.kubernetes.io/pod-name"]`,
	`metadata.labels["apps.kubernetes.io/pod-index"]`, `metadata.labels["batch.kubernetes.io/*"]`,
	`metadata.labels["job-name"]`, `metadata.labels["controller-uid"]`,
	`metadata.annotations["batch.kubernetes.io/*"]`, `metadata.annotations["kubernetes.io/limit-ranger"]`,
	`metadata.finalizers[="batch.kubernetes.io/job-tracking"]`,
	"spec.volumes[name=kube-api-access-*]",
	`spec.containers[*].volumeMounts[mountPath="/var/run/secrets/kubernetes.io/serviceaccount"]`,
	`spec.initContainers[*].volumeMounts[mountPath="/var/run/secrets/kubernetes.io/serviceaccount"]`,
	"spec.containers[*].resources", "spec.initContainers[*].resources", // LimitRanger
	"spec.nodeName", "spec.priority", "spec.priorityClassName", "spec.preemptionPolicy", "spec.tolerations",
	"spec.overhead",
}

// templateOf is the child as its owner asks for it, and the fields in which the two may differ.
func templateOf(owner, child *Object) (want map[string]any, mayDiffer []string, known bool) {
	spec, ok := field(owner.doc.value(0), "spec").(map[string]any)
	if !ok {
		return nil, nil, false
	}
	makes := owner.meta.Kind.Group + "/" + owner.meta.Kind.Kind + " " + child.meta.Kind.Group + "/" + child.meta.Kind.Kind
	switch makes {
	case "apps/ReplicaSet /Pod", "apps/StatefulSet /Pod", "apps/DaemonSet /Pod", "batch/Job /Pod", "/ReplicationController /Pod":
		want, mayDiffer = podOf(owner, child, spec)
	case "apps/Deployment apps/ReplicaSet":
		want = likeChild(child, nil, map[string]any{"template": spec["template"]})
		mayDiffer = []string{
			"metadata.labels", "metadata.annotations", "spec.replicas", "spec.selector", "spec.minReadySeconds",
			`spec.template.metadata.labels["pod-template-hash"]`,
		}
	case "batch/CronJob batch/Job":
		template, _ := spec["jobTemplate"].(map[string]any)
		want = likeChild(child, template["metadata"], template["spec"])
		mayDiffer = []string{
			`metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]`, "spec.selector",
			`spec.template.metadata.labels["batch.kubernetes.io/*"]`, `spec.template.metadata.labels["job-name"]`,
			`spec.template.metadata.labels["controller-uid"]`, "spec.suspend",
		}
	default:
		return nil, nil, false
	}
	return want, append(mayDiffer, childMeta...), true
}

// podOf is the pod that a template asks for. A template that names no service account asks for the
// one that the API server fills in.
func podOf(owner, child *Object, spec map[string]any) (want map[string]any, mayDiffer []string) {
	mayDiffer = podAdditions
	template, _ := spec["template"].(map[string]any)
	podSpec, _ := template["spec"].(map[string]any)
	podSpec = maps.Clone(podSpec)
	if podSpec == nil {
		podSpec = map[string]any{}
	}
	if podSpec["serviceAccountName"] == nil || podSpec["serviceAccountName"] == "" {
		podSpec["serviceAccountName"], podSpec["serviceAccount"] = "default", "default"
	}
	if podSpec["enableServiceLinks"] == nil { // a default of pods that templates are not given
		podSpec["enableServiceLinks"] = true
	}
	if podSpec["imagePullSecrets"] == nil { // filled in from the service account
		mayDiffer = append(mayDiffer[:len(mayDiffer):len(mayDiffer)], "spec.imagePullSecrets")
	}
	switch owner.meta.Kind.Kind {
	case "DaemonSet":
		mayDiffer = append(mayDiffer[:len(mayDiffer):len(mayDiffer)], "spec.affinity")
	case "Job":
		mayDiffer = append(mayDiffer[:len(mayDiffer):len(mayDiffer)], "spec.hostname")
	case "StatefulSet":
		mayDiffer = append(mayDiffer[:len(mayDiffer):len(mayDiffer)], "spec.hostname", "spec.subdomain")
		claims, _ := spec["volumeClaimTemplates"].([]any)
		for _, c := range claims {
			if name, ok := field(field(c, "metadata"), "name").(string); ok && plain(name) {
				mayDiffer = append(mayDiffer, "spec.volumes[name="+name+"]")
			}
		}
	}
	return likeChild(child, template["metadata"], podSpec), mayDiffer
}

// likeChild is an object of the child's kind with these labels, annotations and finalizers and spec.
func likeChild(child *Object, meta, spec any) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"labels", "annotations", "finalizers"} {
		if v := field(meta, name); v != nil {
			kept[name] = v
		}
	}
	return map[string]any{
		"apiVersion": child.meta.Kind.APIVersion(), "kind": child.meta.Kind.Kind, "metadata": kept, "spec": spec,
	}
}

func field(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}
