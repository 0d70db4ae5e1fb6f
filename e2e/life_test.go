package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// life are manifests of the kinds that the built-in controllers act upon.
var life = map[string]string{
	"job.yaml": `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: shop}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: registry.example.com/migrate:1}]
      volumes:
      - name: scratch
        ephemeral: {volumeClaimTemplate: {metadata: {labels: {for: scratch}}, spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}}}
`,
	"store.yaml": `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: shop}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers: [{name: store, image: registry.example.com/store:1, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
`,
	"service.yaml": `apiVersion: v1
kind: Service
metadata: {name: store, namespace: shop}
spec:
  selector: {app: store}
  ports: [{port: 80}]
`,
	"canary.yaml": canaryAt("1"),
	// The addresses of a Service without a selector are kept by hand, and mirrored.
	"outside.yaml": `apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec:
  ports: [{port: 80}]
`,
	"addresses.yaml": `apiVersion: v1
kind: Endpoints
metadata: {name: outside, namespace: shop}
subsets:
- addresses: [{ip: 192.0.2.7}]
  ports: [{port: 80}]
`,
	"agent.yaml": `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: registry.example.com/agent:1}]
`,
	"night.yaml": `apiVersion: batch/v1
kind: CronJob
metadata: {name: night, namespace: shop}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: night, image: registry.example.com/night:1}]
`,
	"scaler.yaml": `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: store, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}
  minReplicas: 1
  maxReplicas: 3
`,
	"api.yaml": apiAt("1"),
	"apiscaler.yaml": `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  minReplicas: 3
  maxReplicas: 5
`,
	"budget.yaml": `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: store, namespace: shop}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: store}}
`,
}

// apiAt is a Deployment that leaves its replicas to an autoscaler.
func apiAt(tag string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: api, image: "registry.example.com/api:` + tag + `"}]
`
}

// canaryAt is a StatefulSet of which only the last Pod follows a new version.
func canaryAt(tag string) string {
	return `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: canary, namespace: shop}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  updateStrategy: {rollingUpdate: {partition: 1}}
  selector: {matchLabels: {app: canary}}
  template:
    metadata: {labels: {app: canary}}
    spec:
      containers: [{name: canary, image: "registry.example.com/canary:` + tag + `"}]
`
}

// volume is a volume that an administrator has made by hand, for the claims of the story.
const volume = `apiVersion: v1
kind: PersistentVolume
metadata: {name: by-hand}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: /tmp/by-hand}
`

// TestClusterLifeGoesOn lets the real kube-controller-manager work in a gated namespace: everything
// that it makes of approved workloads is admitted, and not one of its requests is refused.
func TestClusterLifeGoesOn(t *testing.T) {
	l := newServeLab(t)
	files := map[string]string{}
	for name, text := range life {
		files["shop/production/"+name] = text
	}
	// The tier leaves scaling to the controllers that may scale.
	scale := []byte(`{"spec":{"scale":"Owned"}}`)
	_, err := resource(l.as("admin"), "EnvironmentTier", "").Patch(t.Context(), "production", types.MergePatchType, scale, metav1.PatchOptions{})
	l.admitted(err)
	l.admitted(l.apply("admin", "admin", manifest(t, volume)))
	// A node for the daemon, though nothing runs on it: its controller makes a pod for it, with tolerations.
	l.admitted(l.apply("admin", "admin", manifest(t, "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n")))
	merge := l.land("Live\n\nTicket: SHOP-20", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	for name, text := range life {
		if err := l.deliver(text, merge); err != nil {
			t.Fatalf("delivering %s: %v", name, err)
		}
	}
	core, apps, batch := l.typed.CoreV1(), l.typed.AppsV1(), l.typed.BatchV1()
	for _, wait := range []struct {
		what string
		see  func(ctx context.Context) (int, error)
	}{
		{"the job's pod", podsOf(l, "job-name=migrate")},
		{"the claim of the job's pod", func(ctx context.Context) (int, error) {
			list, err := core.PersistentVolumeClaims("shop").List(ctx, metav1.ListOptions{LabelSelector: "for=scratch"})
			return len(list.Items), err
		}},
		{"the set's pod", podsOf(l, "app=store")},
		{"the set's claim", func(ctx context.Context) (int, error) {
			list, err := core.PersistentVolumeClaims("shop").List(ctx, metav1.ListOptions{})
			return len(list.Items), err
		}},
		{"the service's endpoints", func(ctx context.Context) (int, error) {
			list, err := l.typed.DiscoveryV1().EndpointSlices("shop").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=store"})
			return len(list.Items), err
		}},
		{"the slice that mirrors the addresses kept by hand", func(ctx context.Context) (int, error) {
			list, err := l.typed.DiscoveryV1().EndpointSlices("shop").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=outside"})
			return len(list.Items), err
		}},
		{"the canary's pods", canaryRuns(l, "1", "1")},
		{"the daemon's revision", func(ctx context.Context) (int, error) {
			list, err := apps.ControllerRevisions("shop").List(ctx, metav1.ListOptions{LabelSelector: "app=agent"})
			return len(list.Items), err
		}},
		{"the daemon's pod", podsOf(l, "app=agent")},
		{"the night's job and its pod", func(ctx context.Context) (int, error) {
			list, err := batch.Jobs("shop").List(ctx, metav1.ListOptions{})
			if err != nil || len(list.Items) < 2 {
				return 0, err
			}
			pods, err := core.Pods("shop").List(ctx, metav1.ListOptions{})
			if err != nil {
				return 0, err
			}
			n := 0
			for _, p := range pods.Items {
				if strings.HasPrefix(p.Name, "night-") {
					n++
				}
			}
			return n, nil
		}},
		{"the scaler's condition", func(ctx context.Context) (int, error) {
			h, err := l.typed.AutoscalingV2().HorizontalPodAutoscalers("shop").Get(ctx, "store", metav1.GetOptions{})
			return len(h.Status.Conditions), err
		}},
		{"the claim that is bound to its volume", func(ctx context.Context) (int, error) {
			c, err := core.PersistentVolumeClaims("shop").Get(ctx, "data-store-0", metav1.GetOptions{})
			if err != nil || c.Status.Phase != corev1.ClaimBound || c.Spec.VolumeName != "by-hand" {
				return 0, err
			}
			v, err := core.PersistentVolumes().Get(ctx, "by-hand", metav1.GetOptions{})
			if err != nil || v.Status.Phase != corev1.VolumeBound || v.Spec.ClaimRef.UID != c.UID {
				return 0, err
			}
			return 1, nil
		}},
		{"three replicas, as the autoscaler wants", func(ctx context.Context) (int, error) {
			d, err := apps.Deployments("shop").Get(ctx, "api", metav1.GetOptions{})
			if err != nil || *d.Spec.Replicas != 3 {
				return 0, err
			}
			pods, err := podsOf(l, "app=api")(ctx)
			if pods != 3 {
				return 0, err
			}
			return 1, err
		}},
		{"the budget's condition", func(ctx context.Context) (int, error) {
			b, err := l.typed.PolicyV1().PodDisruptionBudgets("shop").Get(ctx, "store", metav1.GetOptions{})
			return len(b.Status.Conditions), err
		}},
	} {
		l.until(wait.what, func(ctx context.Context) error {
			n, err := wait.see(ctx)
			if err == nil && n == 0 {
				err = fmt.Errorf("%s is not there yet", wait.what)
			}
			return err
		})
	}

	// The next version comes from Git, and the autoscaler's number stays.
	next := l.land("Live on\n\nTicket: SHOP-21", map[string]string{"shop/production/api.yaml": apiAt("2")})
	l.judged("shop", "tier", next, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(apiAt("2"), next))
	if d, err := apps.Deployments("shop").Get(t.Context(), "api", metav1.GetOptions{}); err != nil || *d.Spec.Replicas != 3 {
		t.Errorf("after the next version %v: %v", d, err)
	}
	l.heldBack()
	for i := range 3 {
		l.passing(fmt.Sprintf("passing-%d", i))
	}
	l.noControllerRefused()
}

// heldBack has the last Pod of a set follow a new version, and loses the other one, which its partition holds back: it
// comes again as it was.
func (l *serveLab) heldBack() {
	l.t.Helper()
	next := l.land("Canary\n\nTicket: SHOP-22", map[string]string{"shop/production/canary.yaml": canaryAt("2")})
	l.judged("shop", "tier", next, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(canaryAt("2"), next))
	runs := func(ctx context.Context) error {
		n, err := canaryRuns(l, "1", "2")(ctx)
		if err == nil && n == 0 {
			err = fmt.Errorf("the canary does not run so yet")
		}
		return err
	}
	l.until("the last pod to follow", runs)
	lost, err := l.typed.CoreV1().Pods("shop").Get(l.t.Context(), "canary-0", metav1.GetOptions{})
	l.admitted(err)
	l.admitted(l.typed.CoreV1().Pods("shop").Delete(l.t.Context(), "canary-0", metav1.DeleteOptions{}))
	l.until("the other one to come again", func(ctx context.Context) error {
		if again, err := l.typed.CoreV1().Pods("shop").Get(ctx, "canary-0", metav1.GetOptions{}); err != nil || again.UID == lost.UID {
			return fmt.Errorf("it is not there again: %w", err)
		}
		return runs(ctx)
	})
}

// canaryRuns says whether the Pods of the canary run these tags.
func canaryRuns(l *serveLab, tags ...string) func(ctx context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		for i, tag := range tags {
			pod, err := l.typed.CoreV1().Pods("shop").Get(ctx, fmt.Sprintf("canary-%d", i), metav1.GetOptions{})
			if err != nil || pod.Spec.Containers[0].Image != "registry.example.com/canary:"+tag {
				return 0, client.IgnoreNotFound(err)
			}
		}
		return 1, nil
	}
}

// passing lets a namespace come, be filled, and go with what is in it.
func (l *serveLab) passing(name string) {
	l.t.Helper()
	core, ctx := l.typed.CoreV1(), l.t.Context()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := core.Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	// A namespace that Fairway has not seen yet is judged by the strictest tier there is.
	l.until("the namespace to be known, and filled", func(ctx context.Context) error {
		_, err := core.ConfigMaps(name).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "luggage"}}, metav1.CreateOptions{})
		return err
	})
	l.until("what the controllers put into it", func(ctx context.Context) error {
		_, err := core.ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			_, err = core.ConfigMaps(name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		}
		return err
	})
	l.admitted(core.Namespaces().Delete(ctx, name, metav1.DeleteOptions{}))
	l.until("the namespace to be gone", func(ctx context.Context) error {
		_, err := core.Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil:
			return fmt.Errorf("it is still there")
		}
		return err
	})
}

func podsOf(l *serveLab, selector string) func(ctx context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		list, err := l.typed.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{LabelSelector: selector})
		return len(list.Items), err
	}
}

// noControllerRefused reads Fairway's log, which has one line for each decision.
func (l *serveLab) noControllerRefused() {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.cluster.Dir, "fairway.log"))
	if err != nil {
		l.t.Fatal(err)
	}
	asked := 0
	for _, line := range strings.Split(string(raw), "\n") {
		if !strings.Contains(line, "system:serviceaccount:kube-system:") && !strings.Contains(line, `"system:kube-`) {
			continue
		}
		asked++
		if strings.Contains(line, `"verdict":"Deny"`) || strings.Contains(line, `"verdict":"Unknown"`) {
			l.t.Errorf("a built-in controller was refused: %s", line)
		}
	}
	if asked == 0 {
		l.t.Error("no built-in controller asked anything: the log says nothing")
	}
}
