package canon_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// sixKiB is a Deployment that is about 6 KiB as admission sends it, managedFields included.
func sixKiB(image string) map[string]any {
	var containers strings.Builder
	for i := range 4 {
		fmt.Fprintf(&containers, `
      - name: c%d
        image: "registry.example/team/c%d:%s"
        args: [--listen=:80%d, --log-level=info]
        ports: [{containerPort: 80%d, name: http%d}]
        env: [{name: A, value: a}, {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        readinessProbe: {httpGet: {path: /ready, port: http%d}}
        volumeMounts: [{name: config, mountPath: /etc/c}]`, i, i, image, i, i, i, i)
	}
	return parseYAML(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web, team: shop}, annotations: {contact: shop@example.com}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:` + containers.String() + `
      volumes: [{name: config, configMap: {name: web}}]
`)
}

// pair is a live object and the object after an apply of another image.
func pair(t testing.TB) (old, object []byte, git change.Digest) {
	s := newServer(t).apply(sixKiB("1"), flux)
	s.put(s.object(setPath(int64(1), "status", "observedGeneration"), setPath("1", "metadata", "annotations", "deployment.kubernetes.io/revision")), "kube-controller-manager")
	old = encode(t, s.object(serverDefaults))
	s.apply(sixKiB("2"), flux)
	return old, encode(t, s.object(serverDefaults)), digest(t, sixKiB("2"))
}

func encode(t testing.TB, m map[string]any) []byte {
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// serverDefaults adds what a real API server would.
func serverDefaults(m map[string]any) {
	setPath("Always", "spec", "template", "spec", "restartPolicy")(m)
	setPath("ClusterFirst", "spec", "template", "spec", "dnsPolicy")(m)
	setPath("default-scheduler", "spec", "template", "spec", "schedulerName")(m)
	setPath(int64(30), "spec", "template", "spec", "terminationGracePeriodSeconds")(m)
	setPath(map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "25%", "maxUnavailable": "25%"}}, "spec", "strategy")(m)
	eachContainer("imagePullPolicy", "IfNotPresent")(m)
	eachContainer("terminationMessagePath", "/dev/termination-log")(m)
	eachContainer("terminationMessagePolicy", "File")(m)
}

// measure runs the body of a benchmark on a pair of objects.
func measure(b *testing.B, run func(old, object []byte, git change.Digest) bool) {
	old, object, git := pair(b)
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		if !run(old, object, git) {
			b.Fatal("not bound")
		}
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(len(object)), "object-bytes")
}

// cpu is the processor time that this process has used, the collector's included: on a machine that
// others use as well the clock says little.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// hot is bind as the gate asks.
func hot(object, old *canon.Object) canon.Result {
	return canon.Bind(canon.Binding{Kind: change1(deployment), Object: object, Old: old, Manager: flux, Types: schema.BuiltIn(), Key: key})
}

func parsed(raw []byte) *canon.Object {
	o, err := canon.Parse(raw)
	if err != nil {
		panic(err)
	}
	return o
}

// BenchmarkBindCreate: parse and bind a CREATE. Bar: 150 µs (P1).
func BenchmarkBindCreate(b *testing.B) {
	fresh := encode(b, newServer(b).apply(sixKiB("2"), flux).object(serverDefaults))
	measure(b, func(_, _ []byte, git change.Digest) bool { return hot(parsed(fresh), nil).BoundTo(git) })
}

// BenchmarkBindUpdate: parse both objects and bind an UPDATE. Bar: 250 µs (P1).
func BenchmarkBindUpdate(b *testing.B) {
	measure(b, func(old, object []byte, git change.Digest) bool {
		return hot(parsed(object), parsed(old)).BoundTo(git)
	})
}

func BenchmarkParse(b *testing.B) {
	measure(b, func(_, object []byte, _ change.Digest) bool { return parsed(object) != nil })
}

func BenchmarkDigestManifest(b *testing.B) {
	m := sixKiB("2")
	for b.Loop() {
		if _, err := canon.DigestManifest(m, schema.BuiltIn(), key); err != nil {
			b.Fatal(err)
		}
	}
}
