package canon_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/schema"
)

const (
	owningSet = `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"my-web","namespace":"shop"},"spec":{
"selector":{"matchLabels":{"app":"web"}},
"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[
 {"name":"web","image":"web:1","resources":{"requests":{"cpu":"1"}},"volumeMounts":[{"name":"data","mountPath":"/data"}]},
 {"name":"side","image":"side:1"}]}},
"volumeClaimTemplates":[{"metadata":{"name":"data","labels":{"tier":"db"}},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}}`

	ownedPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"my-web-0","namespace":"shop","labels":{"app":"web","controller-revision-hash":"x","statefulset.kubernetes.io/pod-name":"my-web-0"}},"spec":{
"hostname":"my-web-0","enableServiceLinks":true,"serviceAccountName":"default","serviceAccount":"default","containers":[
 {"name":"web","image":"web:1","resources":{"requests":{"cpu":"1"}},"volumeMounts":[{"name":"data","mountPath":"/data"},` + tokenMounted + `]},
 {"name":"side","image":"side:1","volumeMounts":[` + tokenMounted + `]}],
"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-my-web-0"}},{"name":"kube-api-access-x1","projected":{"defaultMode":420,"sources":[
 {"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
 {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
 {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}]}}]}}`

	tokenMounted = `{"name":"kube-api-access-x1","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}`
)

func fromTemplate(t *testing.T, owner, child string) (made, known bool) {
	t.Helper()
	o, err := canon.Parse([]byte(owner))
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Parse([]byte(child))
	if err != nil {
		t.Fatalf("%v: %s", err, child)
	}
	kind, ok := schema.BuiltIn().Type(c.Meta().Kind)
	if !ok {
		t.Fatalf("no schema for %s", c.Meta().Kind)
	}
	return canon.FromTemplate(o, c, kind)
}

// TestT12WhatIsAddedToAPod: in the names that the API server's own admission plug-ins use, nothing
// else than what they add gets into the pods of an approved workload, whoever makes them.
func TestT12WhatIsAddedToAPod(t *testing.T) {
	if made, known := fromTemplate(t, owningSet, ownedPod); !made || !known {
		t.Fatalf("the pod that the API server makes: made %t, known %t", made, known)
	}
	token := `"projected":{"defaultMode":420,"sources":[`
	for name, edit := range map[string][2]string{
		"the disk of the node as the token": {`{"name":"kube-api-access-x1","projected"`, `{"name":"kube-api-access-x1","hostPath":{"path":"/"},"projected"`},
		"a Secret with the token":           {token, token + `{"secret":{"name":"other"}},`},
		"another ConfigMap with the token":  {"kube-root-ca.crt", "other"},
		"a token for somebody else":         {`"path":"token"}`, `"path":"token","audience":"vault"}`},
		"a second volume by that name":      {`"volumes":[`, `"volumes":[{"name":"kube-api-access-y","hostPath":{"path":"/"}},`},
		"the disk of the node as the claim": {`"persistentVolumeClaim":{"claimName":"data-my-web-0"}`, `"hostPath":{"path":"/"}`},
		"somebody else's claim":             {"data-my-web-0", "data-other-0"},
		"another volume where the token is": {`"image":"side:1","volumeMounts":[{"name":"kube-api-access-x1"`, `"image":"side:1","volumeMounts":[{"name":"data"`},
		"a token that can be written":       {`"readOnly":true`, `"readOnly":false`},
		"fewer resources":                   {`"cpu":"1"`, `"cpu":"1m"`},
		"another image":                     {"side:1", "evil:1"},
		"a container more":                  {`"volumes":[`, `"ephemeralContainers":[{"name":"x","image":"evil"}],"volumes":[`},
		"another account":                   {`"serviceAccountName":"default"`, `"serviceAccountName":"admin"`},
		"the network of the node":           {`"hostname":`, `"hostNetwork":true,"hostname":`},
		"a finalizer":                       {`"labels":{`, `"finalizers":["evil.example.com/stay"],"labels":{`},
	} {
		t.Run(name, func(t *testing.T) {
			pod := strings.Replace(ownedPod, edit[0], edit[1], 1)
			if pod == ownedPod {
				t.Fatal("the edit changes nothing")
			}
			if made, _ := fromTemplate(t, owningSet, pod); made {
				t.Error("counts as what the template asks for")
			}
		})
	}
	for name, edit := range map[string][2]string{
		"limits by LimitRanger":   {`"resources":{"requests":{"cpu":"1"}}`, `"resources":{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"2"}}`},
		"resources where none is": {`"image":"side:1"`, `"image":"side:1","resources":{"limits":{"cpu":"2"}}`},
		"a node":                  {`"hostname":`, `"nodeName":"n1","hostname":`},
	} {
		t.Run(name, func(t *testing.T) {
			pod := strings.Replace(ownedPod, edit[0], edit[1], 1)
			if made, known := fromTemplate(t, owningSet, pod); pod == ownedPod || !made || !known {
				t.Errorf("made %t, known %t", made, known)
			}
		})
	}
}

// TestT12ClaimsOfAPod: the claims of a Pod's ephemeral volumes are what the Pod asks for, whoever makes them.
func TestT12ClaimsOfAPod(t *testing.T) {
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-0","namespace":"shop","uid":"1"},"spec":{"volumes":[{"name":"conf","configMap":{"name":"c"}},
{"name":"scratch","ephemeral":{"volumeClaimTemplate":{"metadata":{"labels":{"a":"b"}},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Filesystem"}}}}]}}`
	const claim = `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"web-0-scratch","namespace":"shop","labels":{"a":"b"},"finalizers":["kubernetes.io/pvc-protection"],
"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"web-0","uid":"1","controller":true}]},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Filesystem"}}`
	for name, tt := range map[string]struct {
		edit [2]string
		made bool
	}{
		"as asked":             {[2]string{"", ""}, true},
		"with a default class": {[2]string{`"volumeMode"`, `"storageClassName":"standard","volumeMode"`}, true},
		"of somebody's volume": {[2]string{`"volumeMode"`, `"volumeName":"theirs","volumeMode"`}, false},
		"from a snapshot":      {[2]string{`"volumeMode"`, `"dataSource":{"kind":"PersistentVolumeClaim","name":"theirs"},"volumeMode"`}, false},
		"larger":               {[2]string{"1Gi", "9Gi"}, false},
		"with a label more":    {[2]string{`"a":"b"`, `"a":"b","x":"y"`}, false},
		"of another volume":    {[2]string{"web-0-scratch", "web-0-conf"}, false},
		"of no volume":         {[2]string{"web-0-scratch", "web-0-data"}, false},
	} {
		if made, known := fromTemplate(t, pod, strings.Replace(claim, tt.edit[0], tt.edit[1], 1)); made != tt.made || !known {
			t.Errorf("%s: made %t, known %t", name, made, known)
		}
	}
}

// TestRuling16ClaimsOfAStatefulSet: the claims that a StatefulSet makes are compared with its claim
// templates; without that none of its Pods ever started in a gated tier.
func TestRuling16ClaimsOfAStatefulSet(t *testing.T) {
	claim := func(name, labels, spec string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":%q,"namespace":"shop","labels":{%s},"finalizers":["kubernetes.io/pvc-protection"]},"spec":{"accessModes":["ReadWriteOnce"],%s}}`, name, labels, spec)
	}
	const labels, spec = `"app":"web","tier":"db"`, `"resources":{"requests":{"storage":"1Gi"}}`
	for name, tt := range map[string]struct {
		claim       string
		made, known bool
	}{
		"as asked":             {claim("data-my-web-0", labels, spec), true, true},
		"with a default class": {claim("data-my-web-11", labels, spec+`,"storageClassName":"standard"`), true, true},
		"of somebody's volume": {claim("data-my-web-0", labels, spec+`,"volumeName":"theirs"`), false, true},
		"larger":               {claim("data-my-web-0", labels, strings.Replace(spec, "1Gi", "9Gi", 1)), false, true},
		"with a label more":    {claim("data-my-web-0", labels+`,"x":"y"`, spec), false, true},
		"of no template":       {claim("logs-my-web-0", labels, spec), false, false},
		"of another set":       {claim("data-web-0", labels, spec), false, false},
		"with an odd ordinal":  {claim("data-my-web-00", labels, spec), false, false},
		"without an ordinal":   {claim("data-my-web-", labels, spec), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if made, known := fromTemplate(t, owningSet, tt.claim); made != tt.made || known != tt.known {
				t.Errorf("made %t, known %t; want %t, %t", made, known, tt.made, tt.known)
			}
		})
	}
}

// TestRuling16JobOfACronJob: a Job has its own defaults, which its CronJob's template does not show,
// and nothing else.
func TestRuling16JobOfACronJob(t *testing.T) {
	const (
		cron = `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"night","namespace":"shop"},"spec":{"schedule":"* * * * *",
"jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"night","image":"night:1"}]}}}}}}`
		job = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"night-1","namespace":"shop",
"labels":{"batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"night-1","controller-uid":"u","job-name":"night-1"},"annotations":{"batch.kubernetes.io/cronjob-scheduled-timestamp":"2026-11-23T00:00:00Z"}},
"spec":{"parallelism":1,"completions":1,"backoffLimit":6,"completionMode":"NonIndexed","suspend":false,"manualSelector":false,"podReplacementPolicy":"TerminatingOrFailed",
"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"u"}},
"template":{"metadata":{"labels":{"batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"night-1","controller-uid":"u","job-name":"night-1"}},
"spec":{"restartPolicy":"Never","containers":[{"name":"night","image":"night:1"}]}}}}`
	)
	if made, known := fromTemplate(t, cron, job); !made || !known {
		t.Fatalf("the Job that the controller makes: made %t, known %t", made, known)
	}
	for name, edit := range map[string][2]string{
		"another image":  {"night:1\"}]}}}}", "evil\"}]}}}}"},
		"more of them":   {`"parallelism":1`, `"parallelism":100`},
		"more tries":     {`"backoffLimit":6`, `"backoffLimit":600`},
		"another policy": {`"restartPolicy":"Never","containers":[{"name":"night","image":"night:1"}]}}}}`, `"restartPolicy":"OnFailure","containers":[{"name":"night","image":"night:1"}]}}}}`},
	} {
		if changed := strings.Replace(job, edit[0], edit[1], 1); changed == job {
			t.Errorf("%s: the edit changes nothing", name)
		} else if made, _ := fromTemplate(t, cron, changed); made {
			t.Errorf("%s is taken for what the template asks for", name)
		}
	}
}
