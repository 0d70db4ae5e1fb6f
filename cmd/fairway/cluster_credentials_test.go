package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/store"
)

// apiWith is an API server in memory that holds these objects.
func apiWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme, err := knownKinds()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func registered(secret string) *v1alpha1.Repository {
	r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Name: "apps"}}
	if secret != "" {
		r.Spec.CredentialsSecret = &v1alpha1.SecretReference{Name: secret}
	}
	return r
}

// TestCredentialsAreFilesOfOurOwn: readable to us alone, gone at the end, and in no message.
func TestCredentialsAreFilesOfOurOwn(t *testing.T) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: "git", UID: "1"},
		Data: map[string][]byte{
			v1alpha1.CredentialUsername: []byte("robot"), v1alpha1.CredentialPassword: []byte("hunter2"),
			v1alpha1.CredentialIdentity: []byte("KEY"), v1alpha1.CredentialKnownHosts: []byte("HOSTS"), v1alpha1.CredentialCA: []byte("CA"),
		},
	}
	a := &access{client: apiWith(t, registered("git"), secret), namespace: "fairway-system", dir: filepath.Join(t.TempDir(), "credentials")}
	got, err := a.of(t.Context(), "apps")
	if err != nil {
		t.Fatal(err)
	}
	if got.Username != "robot" || got.Password != "hunter2" {
		t.Errorf("user %q", got.Username)
	}
	for path, want := range map[string]string{got.SSHKeyFile: "KEY", got.KnownHostsFile: "HOSTS", got.caFile: "CA"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || !filepath.IsAbs(path) {
			t.Errorf("%s: %v, %v", path, info, err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != want {
			t.Errorf("%s holds %q, %v", path, content, err)
		}
	}
	if v, err := a.version(t.Context(), "apps"); err != nil || v == "" {
		t.Errorf("version %q, %v", v, err)
	}
	a.forget()
	if _, err := os.Stat(got.SSHKeyFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
	if err := os.WriteFile(a.dir, nil, 0o600); err != nil { // a file is in the way
		t.Fatal(err)
	}
	_, err = a.of(t.Context(), "apps")
	if !errors.Is(err, errCredentials) || strings.Contains(fmt.Sprint(err), "hunter2") || strings.Contains(fmt.Sprint(err), "KEY") {
		t.Errorf("got %v", err)
	}
}

func TestCredentialsThatAreNotThere(t *testing.T) {
	none := &access{client: apiWith(t, registered("")), namespace: "fairway-system", dir: t.TempDir()}
	if got, err := none.of(t.Context(), "apps"); err != nil || got != (remoteAccess{}) {
		t.Errorf("without a Secret: %v", err)
	}
	// One of the same name in another namespace is none.
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "git"}}
	lost := &access{client: apiWith(t, registered("git"), elsewhere), namespace: "fairway-system", dir: t.TempDir()}
	if _, err := lost.of(t.Context(), "apps"); !errors.Is(err, errCredentials) {
		t.Errorf("got %v", err)
	}
}

// TestLostKeysStopTheStart: new keys are made for a new install alone.
func TestLostKeysStopTheStart(t *testing.T) {
	api := apiWith(t)
	made, isNew, err := loadKeys(t.Context(), api, "fairway-system")
	if err != nil || !isNew {
		t.Fatalf("a new install: new %v, %v", isNew, err)
	}
	again, isNew, err := loadKeys(t.Context(), api, "fairway-system")
	if err != nil || isNew || again.prover.ID() != made.prover.ID() || string(again.secret) != string(made.secret) {
		t.Errorf("the second start: new %v, %v", isNew, err)
	}
	id, sig := made.prover.Sign([]byte("x"))
	if !again.Verify(id, []byte("x"), sig) || again.Verify("other", []byte("x"), sig) || again.Verify(id, []byte("y"), sig) {
		t.Error("the pinned key does not tell its own signatures")
	}
	for name, left := range map[string]client.Object{
		"a seal":  &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: store.SealName}},
		"a proof": &v1alpha1.ProvenCommit{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1"}},
	} {
		if _, _, err := loadKeys(t.Context(), apiWith(t, left), "fairway-system"); !errors.Is(err, errKeysLost) {
			t.Errorf("with %s: %v", name, err)
		}
	}
	broken := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: keysName}, Data: map[string][]byte{proverPart: []byte("sesame")}}
	if _, _, err := loadKeys(t.Context(), apiWith(t, broken), "fairway-system"); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("broken keys: %v", err)
	}
}
