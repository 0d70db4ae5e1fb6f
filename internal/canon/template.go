package canon

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// FromTemplate reports whether child is what the template of its owner asks for, and known whether
// that can be told: the owner's kind has a template, and child is of the kind that it makes.
//
// Every field of the template must stand in child with its value, and child holds nothing else but
// what the built-in controllers and the admission plug-ins of the API server add, in a closed list,
// and what tolerate covers: a mutating webhook that adds a container to an approved workload is no
// more welcome in its pods than in itself (rulings 16 and 18).
func FromTemplate(owner, child *Object, t *Type, tolerate ...PathPattern) (made, known bool) {
	if child.meta.Kind.Group == "apps" && child.meta.Kind.Kind == "ControllerRevision" {
		return revisionOf(owner, child)
	}
	template, rule, known := templateOf(owner, child)
	if template == nil {
		return false, known
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

// podAdditions are what controllers and the API server's own admission plug-ins add to a pod, whatever
// it holds. What they add in a certain form is for served and filled to tell.
var podAdditions = []string{
	`metadata.labels["pod-template-hash"]`, `metadata.labels["controller-revision-hash"]`,
	`metadata.labels["pod-template-generation"]`, `metadata.labels["statefulset.kubernetes.io/pod-name"]`,
	`metadata.labels["apps.kubernetes.io/pod-index"]`, `metadata.labels["batch.kubernetes.io/*"]`,
	`metadata.labels["job-name"]`, `metadata.labels["controller-uid"]`,
	`metadata.annotations["batch.kubernetes.io/*"]`, `metadata.annotations["kubernetes.io/limit-ranger"]`,
	`metadata.finalizers[="batch.kubernetes.io/job-tracking"]`,
	"spec.nodeName", "spec.priority", "spec.priorityClassName", "spec.preemptionPolicy", "spec.overhead",
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
	case "apps/StatefulSet /PersistentVolumeClaim":
		if want, mayDiffer = claimOf(owner, child, spec); want == nil {
			return nil, nil, false
		}
	case "/Pod /PersistentVolumeClaim":
		if want, mayDiffer = ephemeralClaimOf(owner, child, spec); want == nil {
			return nil, nil, true // of a Pod without such a volume: nothing is asked for
		}
	case "batch/CronJob batch/Job":
		template, _ := spec["jobTemplate"].(map[string]any)
		want = likeChild(child, template["metadata"], jobOf(template["spec"]))
		mayDiffer = []string{
			`metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]`, "spec.selector",
			`spec.template.metadata.labels["batch.kubernetes.io/*"]`, `spec.template.metadata.labels["job-name"]`,
			`spec.template.metadata.labels["controller-uid"]`,
			`metadata.labels["batch.kubernetes.io/*"]`, `metadata.labels["job-name"]`, `metadata.labels["controller-uid"]`,
		}
	default:
		return nil, nil, false
	}
	return want, append(mayDiffer, childMeta...), true
}

// jobOf is the spec of the Job that a job template asks for. The API server fills a Job's own defaults
// in when the Job is made, not in the CronJob.
// Source: SetDefaults_Job in k8s.io/kubernetes/pkg/apis/batch/v1/defaults.go.
func jobOf(spec any) map[string]any {
	given, _ := spec.(map[string]any)
	job := map[string]any{
		"completionMode": "NonIndexed", "suspend": false, "manualSelector": false, "backoffLimit": int64(6),
		"podReplacementPolicy": "TerminatingOrFailed",
	}
	switch {
	case given["parallelism"] == nil && given["completions"] == nil:
		job["parallelism"], job["completions"] = int64(1), int64(1)
	case given["parallelism"] == nil:
		job["parallelism"] = int64(1)
	}
	if given["backoffLimitPerIndex"] != nil {
		job["backoffLimit"] = int64(math.MaxInt32)
	}
	if given["podFailurePolicy"] != nil {
		job["podReplacementPolicy"] = "Failed"
	}
	maps.Copy(job, given)
	return job
}

// podOf is the pod that a template asks for. A template that names no service account asks for the
// one that the API server fills in.
func podOf(owner, child *Object, spec map[string]any) (want map[string]any, mayDiffer []string) {
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
	mayDiffer = slices.Concat(podAdditions, served(child), filled(podSpec, child))
	if podSpec["imagePullSecrets"] == nil { // filled in from the service account
		mayDiffer = append(mayDiffer, "spec.imagePullSecrets")
	}
	if podSpec["hostNetwork"] == true { // each port is the node's too; the API server admits no other number
		mayDiffer = append(mayDiffer, "spec.containers[*].ports[*].hostPort", "spec.initContainers[*].ports[*].hostPort")
	}
	if tolerated(owner.meta.Kind.Kind, podSpec, child) {
		mayDiffer = append(mayDiffer, "spec.tolerations")
	}
	switch owner.meta.Kind.Kind {
	case "DaemonSet":
		mayDiffer = append(mayDiffer, "spec.affinity")
	case "Job":
		mayDiffer = append(mayDiffer, "spec.hostname")
	case "StatefulSet":
		mayDiffer = append(mayDiffer, "spec.hostname", "spec.subdomain")
		mayDiffer = append(mayDiffer, claimed(child, spec)...)
	}
	return likeChild(child, template["metadata"], podSpec), mayDiffer
}

// claimOf is the claim that a StatefulSet makes for one of its pods, <template>-<set>-<ordinal>; nil
// where none of its templates makes one of that name.
func claimOf(owner, child *Object, spec map[string]any) (want map[string]any, mayDiffer []string) {
	for _, template := range listOf(spec, "volumeClaimTemplates") {
		meta := field(template, "metadata")
		name, _ := field(meta, "name").(string)
		ordinal, ok := strings.CutPrefix(child.meta.Name, name+"-"+owner.meta.Name+"-")
		if n, err := strconv.ParseUint(ordinal, 10, 31); !ok || name == "" || err != nil || strconv.FormatUint(n, 10) != ordinal {
			continue
		}
		mayDiffer = []string{claimFinalizer}
		if field(field(template, "spec"), "storageClassName") == nil {
			mayDiffer = append(mayDiffer, "spec.storageClassName") // the cluster's default class
		}
		made, labels := map[string]any{"annotations": field(meta, "annotations")}, map[string]any{}
		for _, set := range []any{field(meta, "labels"), field(spec["selector"], "matchLabels")} {
			more, _ := set.(map[string]any)
			maps.Copy(labels, more)
		}
		if len(labels) > 0 {
			made["labels"] = labels
		}
		return likeChild(child, made, field(template, "spec")), mayDiffer
	}
	return nil, nil
}

// ephemeralClaimOf is the claim for one of a Pod's ephemeral volumes, <pod>-<volume>; nil where it has none of that name.
// Source: pkg/controller/volume/ephemeral of k8s.io/kubernetes.
func ephemeralClaimOf(owner, child *Object, spec map[string]any) (want map[string]any, mayDiffer []string) {
	for _, volume := range listOf(spec, "volumes") {
		name, _ := field(volume, "name").(string)
		template, _ := field(field(volume, "ephemeral"), "volumeClaimTemplate").(map[string]any)
		if template == nil || child.meta.Name != owner.meta.Name+"-"+name {
			continue
		}
		mayDiffer = []string{claimFinalizer}
		if field(template["spec"], "storageClassName") == nil {
			mayDiffer = append(mayDiffer, "spec.storageClassName")
		}
		return likeChild(child, template["metadata"], template["spec"]), mayDiffer
	}
	return nil, nil
}

// claimFinalizer keeps a claim while Pods use it.
const claimFinalizer = `metadata.finalizers[="kubernetes.io/pvc-protection"]`

// tokenMount is where the API server mounts the token of a pod's service account.
const tokenMount = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, no credential

// served are the volume with the token of a pod's service account and its mounts, which the API server
// adds. Under its name anything else, the disk of the node for one, is an addition like any other.
func served(child *Object) []string {
	var patterns []string
	names := map[any]bool{}
	spec := field(child.doc.value(0), "spec")
	for _, v := range listOf(spec, "volumes") {
		name, _ := field(v, "name").(string)
		if strings.HasPrefix(name, "kube-api-access-") && plain(name) && isTokenVolume(v) {
			names[name] = true
			patterns = append(patterns, "spec.volumes[name="+name+"]")
		}
	}
	for _, list := range containerLists {
		for _, c := range listOf(spec, list) {
			name, _ := field(c, "name").(string)
			for _, m := range listOf(c, "volumeMounts") {
				if plain(name) && names[field(m, "name")] && field(m, "mountPath") == tokenMount && field(m, "readOnly") == true {
					patterns = append(patterns, "spec."+list+"[name="+name+`].volumeMounts[mountPath="`+tokenMount+`"]`)
				}
			}
		}
	}
	return patterns
}

// containerLists are the lists of containers to which admission plug-ins add.
var containerLists = []string{"containers", "initContainers"}

// isTokenVolume reports whether a volume holds a service account's token, the cluster's certificates
// and facts of the pod itself, and nothing else.
func isTokenVolume(v any) bool {
	volume, _ := v.(map[string]any)
	projected, _ := volume["projected"].(map[string]any)
	if len(volume) != 2 || projected == nil {
		return false
	}
	for _, s := range listOf(projected, "sources") {
		source, _ := s.(map[string]any)
		token, _ := source["serviceAccountToken"].(map[string]any)
		certificates := field(source["configMap"], "name")
		ours := token != nil && token["audience"] == nil || source["downwardAPI"] != nil ||
			certificates == "kube-root-ca.crt" || certificates == "openshift-service-ca.crt"
		if len(source) != 1 || !ours {
			return false
		}
	}
	return true
}

// filled are the resources of containers to which something was added and of which nothing that the
// template asks for was changed, as LimitRanger does.
func filled(podSpec map[string]any, child *Object) []string {
	var patterns []string
	for _, list := range containerLists {
		asked := map[any]any{}
		for _, c := range listOf(podSpec, list) {
			asked[field(c, "name")] = field(c, "resources")
		}
		for _, c := range listOf(field(child.doc.value(0), "spec"), list) {
			name, _ := field(c, "name").(string)
			if plain(name) && holds(field(c, "resources"), asked[name]) {
				patterns = append(patterns, "spec."+list+"[name="+name+"].resources")
			}
		}
	}
	return patterns
}

// holds reports whether everything in want is in have too.
func holds(have, want any) bool {
	members, ok := want.(map[string]any)
	if !ok {
		return want == nil || reflect.DeepEqual(have, want)
	}
	for name, w := range members {
		if !holds(field(have, name), w) {
			return false
		}
	}
	return true
}

// claimed are the volumes that a StatefulSet gives a pod: one for each claim template, of the claim that
// is made from it for this very pod.
func claimed(child *Object, spec map[string]any) []string {
	var patterns []string
	for _, template := range listOf(spec, "volumeClaimTemplates") {
		name, _ := field(field(template, "metadata"), "name").(string)
		for _, v := range listOf(field(child.doc.value(0), "spec"), "volumes") {
			volume, _ := v.(map[string]any)
			if volume["name"] == name && plain(name) && len(volume) == 2 &&
				field(volume["persistentVolumeClaim"], "claimName") == name+"-"+child.meta.Name {
				patterns = append(patterns, "spec.volumes[name="+name+"]")
			}
		}
	}
	return patterns
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

// listOf is a list that an object holds.
func listOf(v any, name string) []any {
	list, _ := field(v, name).([]any)
	return list
}

func field(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}
