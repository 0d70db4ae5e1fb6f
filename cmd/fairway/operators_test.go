package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestOperators puts the list of docs/operators.md into a binding, and sends the writes that its operators make, and
// some just beyond.
func TestOperators(t *testing.T) {
	page, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "```yaml\ncontrollers:\n")
	list, _, closed := strings.Cut(list, "```")
	if !closed {
		t.Fatal("the page holds no list of controllers")
	}
	l := newLab(t)
	l.edit("bindings.yaml", "  owners: [shop]\n  sources:", "  owners: [shop]\n  controllers:\n  "+strings.ReplaceAll(strings.TrimSpace(list), "\n", "\n  ")+"\n  sources:")
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	web := story.Web(2, "", "2.0")
	l.admits("proven", l.apply(web, merge))
	l.certificates()
	l.fetchedSecrets()
	l.reloads(web)
	l.resizes()
	l.networks()
}

// networks sends objects of a kind that has no schema here.
func (l *lab) networks() {
	ask := func(kind, user string) bool {
		review, _, err := l.server.Try(story.Write{Object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-1, namespace: shop}}", User: user, Manager: "agent"})
		if err != nil {
			l.t.Fatal(err)
		}
		r := review.Request
		r.Kind, r.Resource = metav1.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: kind}, metav1.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: strings.ToLower(kind) + "s"}
		r.RequestKind, r.RequestResource = &r.Kind, &r.Resource
		r.Object.Raw = []byte(strings.NewReplacer(`"v1"`, `"cilium.io/v2"`, "ConfigMap", kind).Replace(string(r.Object.Raw)))
		return l.ask(review).Allowed
	}
	const agent = "system:serviceaccount:kube-system:cilium"
	if !ask("CiliumEndpoint", agent) || ask("CiliumEndpoint", "mallory") || ask("CiliumNetworkPolicy", agent) {
		l.t.Errorf("an endpoint by the plugin %t, by somebody else %t; a policy by the plugin %t", ask("CiliumEndpoint", agent), ask("CiliumEndpoint", "mallory"), ask("CiliumNetworkPolicy", agent))
	}
}

const (
	certManager = "system:serviceaccount:cert-manager:cert-manager"
	tlsSecret   = `{apiVersion: v1, kind: Secret, metadata: {name: web-tls, namespace: shop, labels: {controller.cert-manager.io/fao: "true"},
  annotations: {cert-manager.io/certificate-name: web, cert-manager.io/alt-names: web.example.com}}, type: kubernetes.io/tls, data: {tls.crt: YQ==, tls.key: Yg==}}`
)

func (l *lab) certificates() {
	by := func(object, user string, apply bool) story.Write {
		return story.Write{Object: object, User: user, Manager: "cert-manager-certificates-issuing", Apply: apply}
	}
	l.refuses(http.StatusForbidden, by(tlsSecret, "mallory", true), "FW201")
	l.refuses(http.StatusForbidden, by(strings.Replace(tlsSecret, "tls.key:", "config.yaml: YQ==, tls.key:", 1), certManager, true), `data['config.yaml']`, "cert-manager-secrets")
	l.refuses(http.StatusForbidden, by(strings.Replace(tlsSecret, "namespace: shop", "namespace: shop, finalizers: [example.com/stay]", 1), certManager, true), "metadata.finalizers")
	l.admits("controller", by(tlsSecret, certManager, true))
	l.admits("controller", by(strings.Replace(tlsSecret, "YQ==", "Yw==", 1), certManager, true))
	const next = `{apiVersion: v1, kind: Secret, metadata: {name: web-x1, generateName: web-, namespace: shop, labels: {cert-manager.io/next-private-key: "true", controller.cert-manager.io/fao: "true"},
  ownerReferences: [{apiVersion: cert-manager.io/v1, kind: Certificate, name: web, uid: "1", controller: true, blockOwnerDeletion: true}]}, type: Opaque, data: {tls.key: Yg==}}`
	l.admits("controller", by(next, certManager, false))
	l.refuses(http.StatusForbidden, by("{apiVersion: v1, kind: ConfigMap, metadata: {name: web-tls, namespace: shop}}", certManager, false))
}

func (l *lab) fetchedSecrets() {
	const secret = `{apiVersion: v1, kind: Secret, metadata: {name: database, namespace: shop, labels: {reconcile.external-secrets.io/managed: "true"}, annotations: {reconcile.external-secrets.io/data-hash: x},
  ownerReferences: [{apiVersion: external-secrets.io/v1, kind: ExternalSecret, name: database, uid: "1", controller: true, blockOwnerDeletion: true}]}, type: Opaque, data: {password: YQ==}}`
	by := story.Write{Object: secret, User: "system:serviceaccount:external-secrets:external-secrets", Manager: "external-secrets"}
	l.admits("controller", by)
	l.admits("controller", l.put(secret, by.User, "YQ==", "Yg=="))
	by.Object = strings.Replace(secret, "name: database, namespace: shop,", "name: other, namespace: shop, finalizers: [example.com/stay],", 1)
	l.refuses(http.StatusForbidden, by, "metadata.finalizers")
}

func (l *lab) reloads(web string) {
	const user, labels = "system:serviceaccount:reloader:reloader-reloader", `"metadata":{"labels":{"app":"web"}}`
	const mark = `"metadata":{"annotations":{"reloader.stakater.com/last-reloaded-from":"x"},"labels":{"app":"web"}}`
	l.refuses(http.StatusForbidden, l.put(web, user, `"image":"`, `"env":[{"name":"STAKATER_X_SECRET","value":"x"}],"image":"`), "reloader")
	l.refuses(http.StatusForbidden, l.put(web, user, labels, strings.Replace(mark, "reloader.stakater.com/last-reloaded-from", "example.com/x", 1)), "reloader")
	l.admits("controller", l.put(web, user, labels, mark))
}

func (l *lab) resizes() {
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: shop, uid: "1"}, spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m}}}]}}`
	ask := func(object, user, subresource string) bool {
		server := story.NewServer()
		_, keep, err := server.Try(story.Write{Object: pod, User: "x", Manager: "x"})
		if err != nil {
			l.t.Fatal(err)
		}
		keep()
		review, _, err := server.Try(story.Write{Object: object, User: user, Manager: "vpa-updater"})
		if err != nil {
			l.t.Fatal(err)
		}
		review.Request.SubResource, review.Request.RequestSubResource = subresource, subresource
		return l.ask(review).Allowed
	}
	larger, other := strings.Replace(pod, "100m", "200m", 1), strings.Replace(pod, "web:1", "evil:1", 1)
	for _, row := range []struct {
		what, object, user, subresource string
		want                            bool
	}{
		{"a resize by the autoscaler", larger, "system:serviceaccount:kube-system:vpa-updater", "resize", true},
		{"a resize by somebody else", larger, "mallory", "resize", false},
		{"another image by the autoscaler", other, "system:serviceaccount:kube-system:vpa-updater", "", false},
		{"a debug container by the autoscaler", larger, "system:serviceaccount:kube-system:vpa-updater", "ephemeralcontainers", false},
	} {
		if got := ask(row.object, row.user, row.subresource); got != row.want {
			l.t.Errorf("%s: admitted %t", row.what, got)
		}
	}
}
