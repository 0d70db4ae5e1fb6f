package canon_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gvkschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/schema"
)

// Tolerations of a bare pod, and the two that the API server appends where none speaks of their taint.
const (
	batch       = `{key: dedicated, operator: Equal, value: batch, effect: NoExecute, tolerationSeconds: 60}`
	spot        = `{key: spot, operator: Exists}`
	notReady    = `{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}`
	unreachable = `{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}`
	brief       = `{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 10}`
	long        = `{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 301}`
	unscheduled = `{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoSchedule}`
	anyTaint    = `{operator: Exists}`
	anyExecute  = `{operator: Exists, effect: NoExecute, tolerationSeconds: 5}`
	anySchedule = `{operator: Exists, effect: NoSchedule}`
)

// TestTolerationsOfABarePod: the API server appends two tolerations to those of a pod, which is a list that
// is owned as a whole. A pod is bound where it holds what Git sends and just these behind it.
func TestTolerationsOfABarePod(t *testing.T) {
	for name, tt := range map[string]struct {
		git, stored string
		bound       bool
	}{
		"both":                            {batch, batch + notReady + unreachable, true},
		"both, behind several":            {batch + anySchedule + spot, batch + anySchedule + spot + notReady + unreachable, true},
		"one, the other is Git's":         {batch + brief, batch + brief + unreachable, true},
		"one, before it Git's last":       {unreachable, unreachable + notReady, true},
		"one, of another effect":          {unscheduled, unscheduled + notReady + unreachable, true},
		"none beside every taint":         {anyTaint, anyTaint, true},
		"none beside every execution":     {anyExecute, anyExecute, true},
		"none beside Git's two":           {batch + notReady + unreachable, batch + notReady + unreachable, true},
		"Git's two in another order":      {unreachable + notReady, unreachable + notReady, true},
		"another one added":               {batch, batch + spot + notReady + unreachable, false},
		"another one behind":              {batch, batch + notReady + unreachable + spot, false},
		"in front":                        {batch, notReady + unreachable + batch, false},
		"one in front":                    {batch, notReady + batch + unreachable, false},
		"the two in another order":        {batch, batch + unreachable + notReady, false},
		"Git's in another order":          {batch + spot, spot + batch + notReady + unreachable, false},
		"other seconds":                   {batch, batch + notReady + long, false},
		"fewer seconds":                   {batch, batch + brief + unreachable, false},
		"once more":                       {batch, batch + notReady + unreachable + unreachable, false},
		"beside one of Git's":             {brief, brief + notReady + unreachable, false},
		"beside every taint":              {anyTaint, anyTaint + notReady + unreachable, false},
		"beside every execution":          {anyExecute, anyExecute + unreachable, false},
		"instead of Git's":                {batch, notReady + unreachable, false},
		"all taints instead":              {batch, batch + anyTaint, false},
		"Git's two are gone":              {batch + notReady + unreachable, batch, false},
		"Git has none, and one was added": {"", notReady + unreachable + spot, false},
	} {
		git := tolerating(tt.git)
		object := appliedPod(t, git, tolerating(tt.stored))
		r := canon.Bind(canon.Binding{Kind: change1(pod), Object: object, Manager: flux, Types: schema.BuiltIn(), Key: key})
		if r.BoundTo(digest(t, git)) != tt.bound {
			t.Errorf("%s: %+v, want bound: %v", name, r, tt.bound)
		}
		if paths, err := canon.Differ(object, flux, git, schema.BuiltIn()); tt.git != "" && (err != nil || (len(paths) == 0) != tt.bound) {
			t.Errorf("%s: differs in %q (%v)", name, paths, err)
		}
	}
}

var pod = gvkschema.GroupVersionKind{Version: "v1", Kind: "Pod"}

// tolerating is a pod with these tolerations; none where there is no text.
func tolerating(list string) map[string]any {
	m := parseYAML(`{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [{name: a, image: "a:1"}]}}`)
	if list != "" {
		m["spec"].(map[string]any)["tolerations"] = parseYAML("l: [" + strings.ReplaceAll(list, "}{", "}, {") + "]")["l"]
	}
	return m
}

// appliedPod is the pod that an apply of sent left, as what is stored, its fields owned by the manager.
func appliedPod(t *testing.T, sent, stored map[string]any) *canon.Object {
	t.Helper()
	s := managedfieldstest.NewTestFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), pod)
	if err := s.Apply(&unstructured.Unstructured{Object: clone(sent)}, flux, true); err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: clone(stored)}
	u.SetManagedFields(s.ManagedFields())
	return parsed(encode(t, u.Object))
}
