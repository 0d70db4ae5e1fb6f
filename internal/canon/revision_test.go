package canon_test

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/canon"
)

const (
	keptSet = `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"web","namespace":"shop","uid":"1"},"spec":{
"replicas":3,"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}},
"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:1","resources":{}}]}}}}`
	keptRevision = `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"web-abc","namespace":"shop",
"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"web","uid":"1","controller":true}]},"revision":1,
"data":{"spec":{"template":{"$patch":"replace","metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:1","resources":{}}]}}}}}`
	heldPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-1","namespace":"shop","labels":{"controller-revision-hash":"web-abc"}}}`
)

// TestT12ARevisionIsTheTemplate: a revision from which Pods are made one day comes to be with the template that its
// set has, and with nothing else.
func TestT12ARevisionIsTheTemplate(t *testing.T) {
	for name, tt := range map[string]struct {
		edit        [2]string
		made, known bool
	}{
		"as the controller makes it":   {[2]string{"", ""}, true, true},
		"another image":                {[2]string{"web:1", "evil:1"}, false, true},
		"the network of the node":      {[2]string{`"containers"`, `"hostNetwork":true,"containers"`}, false, true},
		"more than the template":       {[2]string{`"data":{"spec":{`, `"data":{"spec":{"replicas":0,`}, false, true},
		"more than a spec":             {[2]string{`"data":{`, `"data":{"metadata":{},`}, false, true},
		"a patch that merges":          {[2]string{`"$patch":"replace",`, ""}, false, true},
		"a patch that deletes":         {[2]string{`"replace"`, `"delete"`}, false, true},
		"a patch of one list in it":    {[2]string{`"containers":[`, `"containers":[{"$patch":"replace"},`}, false, true},
		"a member that merging leaves": {[2]string{`"labels":{"app":"web"}`, `"labels":{"app":"web","$retainKeys":"app"}`}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			made, known := fromTemplate(t, keptSet, strings.Replace(keptRevision, tt.edit[0], tt.edit[1], 1))
			if made != tt.made || known != tt.known {
				t.Errorf("made %t, known %t", made, known)
			}
		})
	}
}

// TestRuling16HeldBackByAPartition: the Pods below a partition are those of the revision that they name, of a
// StatefulSet that keeps it.
func TestRuling16HeldBackByAPartition(t *testing.T) {
	parsed := func(raw, old, with string) *canon.Object {
		o, err := canon.Parse([]byte(strings.Replace(raw, old, with, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for name, tt := range map[string]struct{ set, pod [2]string }{
		"above the partition":     {pod: [2]string{"web-1", "web-2"}},
		"of another name":         {pod: [2]string{"web-1", "x-1"}},
		"without an ordinal":      {pod: [2]string{"web-1", "web-"}},
		"without a revision":      {pod: [2]string{"controller-revision-hash", "x"}},
		"no partition":            {set: [2]string{`"rollingUpdate":{"partition":2}`, `"rollingUpdate":{"partition":0}`}},
		"deleted by hand":         {set: [2]string{"RollingUpdate", "OnDelete"}},
		"of a DaemonSet":          {set: [2]string{"StatefulSet", "DaemonSet"}},
		"of another group's kind": {set: [2]string{"apps/v1", "apps.example.com/v1"}},
	} {
		if got := canon.HeldBack(parsed(keptSet, tt.set[0], tt.set[1]), parsed(heldPod, tt.pod[0], tt.pod[1])); got != "" {
			t.Errorf("%s: held back at %q", name, got)
		}
	}
	if got := canon.HeldBack(parsed(keptSet, "", ""), parsed(heldPod, "", "")); got != "web-abc" {
		t.Errorf("held back at %q", got)
	}
	if got := canon.HeldBack(parsed(keptSet, `"replicas"`, `"ordinals":{"start":5},"replicas"`), parsed(heldPod, "web-1", "web-6")); got != "web-abc" {
		t.Errorf("with a start, held back at %q", got)
	}
	for name, edit := range map[string][2]string{
		"of another owner":   {`"uid":"1"`, `"uid":"2"`},
		"not controlled":     {`,"controller":true`, ""},
		"with other content": {`"data":{"spec":{`, `"data":{"spec":{"replicas":0,`},
	} {
		if _, ok := canon.AtRevision(parsed(keptSet, "", ""), parsed(keptRevision, edit[0], edit[1])); ok {
			t.Errorf("%s: the set at a revision that is not its own", name)
		}
	}
	before, ok := canon.AtRevision(parsed(keptSet, "web:1", "web:2"), parsed(keptRevision, "", ""))
	if !ok || before.Meta().UID != "1" {
		t.Fatal("the set at a revision of its own is not made")
	}
	if made, _ := canon.FromTemplate(before, parsed(keptRevision, "", ""), nil); !made {
		t.Error("the set at a revision does not have its template")
	}
}
