package chart

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// asked are objects by which somebody with rights in Fairway's namespace would have its authority sign for them.
const asked = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: mine}
spec: {secretName: mine, dnsNames: [fairway.fairway-system.svc], issuerRef: {name: fairway-ca, kind: Issuer}}
---
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: {name: mine}
spec: {request: bWluZQ==, issuerRef: {name: fairway-ca, kind: Issuer}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: mine}
spec: {ca: {secretName: fairway-ca}}
---
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: mine}
spec: {request: bWluZQ==, issuerRef: {name: fairway-ca, kind: Issuer}}
`

// certificatesAreFairways: rights in the namespace are not enough to have a certificate of the gates' authority
// issued (T-18), and neither is the account of cert-manager to write other Secrets; a renewal goes on.
func (l *lab) certificatesAreFairways() {
	l.t.Helper()
	ctx := l.t.Context()
	admin := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tina"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "tina"}},
	}
	if _, err := l.typed.RbacV1().RoleBindings(own).Create(ctx, admin, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	tina := l.dynamicAs("tina")
	for text := range strings.SplitSeq(asked, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			l.t.Fatal(err)
		}
		group, version, _ := strings.Cut(object.GetAPIVersion(), "/")
		kind := tina.Resource(of(group, version, strings.ToLower(object.GetKind())+"s")).Namespace(own)
		_, err := kind.Create(ctx, object, metav1.CreateOptions{})
		l.notHers("creating a "+object.GetKind(), err)
	}
	certificates := of("cert-manager.io", "v1", "certificates")
	patch := []byte(`{"spec":{"secretName":"mine"}}`)
	_, err := tina.Resource(certificates).Namespace(own).Patch(ctx, "fairway-tls", types.MergePatchType, patch, metav1.PatchOptions{})
	l.notHers("another Secret for fairway-tls", err)
	_, err = tina.Resource(certificates).Namespace(own).Patch(ctx, "fairway-tls", types.MergePatchType, []byte(`{"status":{"revision":7}}`), metav1.PatchOptions{}, "status")
	l.notHers("its status", err)
	l.notHers("its deletion", tina.Resource(certificates).Namespace(own).Delete(ctx, "fairway-tls", metav1.DeleteOptions{}))

	manager := l.dynamicAs("system:serviceaccount:cert-manager:cert-manager")
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "mine"}}}
	_, err = manager.Resource(of("", "v1", "secrets")).Namespace(own).Create(ctx, secret, metav1.CreateOptions{})
	l.notHers("another Secret by cert-manager", err)
	l.renews(certificates)
}

// renews asks cert-manager for a new certificate, as its own command does, and awaits it.
func (l *lab) renews(certificates schema.GroupVersionResource) {
	l.t.Helper()
	ctx := l.t.Context()
	before, err := l.typed.CoreV1().Secrets(own).Get(ctx, "fairway-tls", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	issuing := `{"status":{"conditions":[{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"asked for","lastTransitionTime":"` +
		time.Now().UTC().Format(time.RFC3339) + `"}]}}`
	if _, err := l.dynamic.Resource(certificates).Namespace(own).Patch(ctx, "fairway-tls", types.MergePatchType, []byte(issuing), metav1.PatchOptions{}, "status"); err != nil {
		l.t.Fatal(err)
	}
	l.until("the certificate is renewed", func(ctx context.Context) error {
		now, err := l.typed.CoreV1().Secrets(own).Get(ctx, "fairway-tls", metav1.GetOptions{})
		if err == nil && bytes.Equal(now.Data["tls.crt"], before.Data["tls.crt"]) {
			err = errors.New("it is the one before")
		}
		return err
	})
	l.enforced()
}

// notHers holds that something was refused for where it was tried.
func (l *lab) notHers(what string, err error) {
	l.t.Helper()
	if err == nil || !strings.Contains(err.Error(), "no gate judges this namespace") {
		l.t.Errorf("%s: %v", what, err)
	}
}

func (l *lab) dynamicAs(user string) dynamic.Interface {
	l.t.Helper()
	config, err := l.cluster.ConfigFor(user)
	if err != nil {
		l.t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}
