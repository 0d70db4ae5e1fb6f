package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// templates says where each kind keeps its pod spec.
var templates = map[string][]string{
	"Pod":                   {"spec"},
	"PodTemplate":           {"template", "spec"},
	"ReplicationController": {"spec", "template", "spec"},
	"ReplicaSet":            {"spec", "template", "spec"},
	"Deployment":            {"spec", "template", "spec"},
	"StatefulSet":           {"spec", "template", "spec"},
	"DaemonSet":             {"spec", "template", "spec"},
	"Job":                   {"spec", "template", "spec"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template", "spec"},
}

// readCorpus reads the objects, and of each workload one for each pod spec.
func readCorpus(folder string) ([]map[string]any, error) {
	corpus, err := documents(folder, "objects.yaml")
	if err != nil {
		return nil, err
	}
	workloads, err := documents(folder, "workloads.yaml")
	if err != nil {
		return nil, err
	}
	pods, err := documents(folder, "podspecs.yaml")
	if err != nil {
		return nil, err
	}
	workloads = append(workloads, map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x"}})
	for _, p := range pods {
		pods = append(pods, withInit(p))
	}
	for _, w := range workloads {
		for _, p := range pods {
			if corpus, err = appendWorkload(corpus, w, p); err != nil {
				return nil, err
			}
		}
	}
	return corpus, nil
}

// withInit is the pod spec with each container a second time as a sidecar, and a third time as a plain
// init container, which has neither probes nor life-cycle hooks.
func withInit(pod map[string]any) map[string]any {
	pod = runtime.DeepCopyJSON(pod)
	init, _ := pod["initContainers"].([]any)
	for _, c := range pod["containers"].([]any) {
		sidecar, plain := runtime.DeepCopyJSON(c.(map[string]any)), runtime.DeepCopyJSON(c.(map[string]any))
		sidecar["name"], plain["name"] = fmt.Sprintf("sidecar-%s", sidecar["name"]), fmt.Sprintf("init-%s", plain["name"])
		sidecar["restartPolicy"] = "Always"
		for _, f := range []string{"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} {
			delete(plain, f)
		}
		for _, m := range []map[string]any{sidecar, plain} {
			delete(m, "volumeDevices")
			if _, ok := m["ports"]; ok {
				m["ports"] = []any{map[string]any{"containerPort": int64(90)}}
			}
		}
		init = append(init, sidecar, plain)
	}
	pod["initContainers"] = init
	return pod
}

func appendWorkload(corpus []map[string]any, workload, pod map[string]any) ([]map[string]any, error) {
	w, p := runtime.DeepCopyJSON(workload), runtime.DeepCopyJSON(pod)
	kind, _ := w["kind"].(string)
	switch kind {
	case "Job", "CronJob":
		p["restartPolicy"] = "Never"
	case "Pod":
	default:
		delete(p, "activeDeadlineSeconds") // only a pod that ends may have one
	}
	if err := unstructured.SetNestedMap(w, p, templates[kind]...); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return append(corpus, w), nil
}

func documents(folder, file string) (out []map[string]any, err error) {
	raw, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return nil, err
	}
	for i, text := range strings.Split(string(raw), "\n---\n") {
		u := &unstructured.Unstructured{}
		j, err := yaml.YAMLToJSONStrict([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", file, i+1, err)
		}
		if u.Object, err = decode(j); err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", file, i+1, err)
		}
		out = append(out, u.Object)
	}
	return out, nil
}
