package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// TestRuling27TheNextInstallEnforcesAtOnce: the prover of the install that was retired leaves its
// configuration alone for as long as it was told to, and that of the next install, whose service account is
// another of the same name, makes it though nothing was told to it.
func TestRuling27TheNextInstallEnforcesAtOnce(t *testing.T) {
	l := newServeLabOn(t, controlplane.Options{}, func(l *serveLab) {
		l.byToken()
		selfGuarded(l)
	})
	ctx := t.Context()
	first := l.account(ctx)
	out, code := l.command("retire", "--kubeconfig", l.kubeconfig("admin"), "--prover", "fairway")
	if code != 0 {
		t.Fatalf("it ended with %d: %s", code, out)
	}
	// For an hour, so that nothing below happens because a minute is over.
	if _, err := l.typed.CoordinationV1().Leases("fairway-system").Patch(ctx, "fairway-emergency", types.MergePatchType,
		[]byte(`{"spec":{"leaseDurationSeconds":3600}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("the prover that is meant knows", func(ctx context.Context) error {
		if is, err := l.metric(ctx, "fairway_emergency", ""); err != nil || is != 1 {
			return fmt.Errorf("the metric is %v, %w", is, err)
		}
		return nil
	})
	l.until("the canary was tried since", func(ctx context.Context) error {
		if up, err := l.metric(ctx, "fairway_enforcement_up", ""); err != nil || up != 0 {
			return fmt.Errorf("the metric is %v, %w", up, err)
		}
		return nil
	})
	if _, err := l.hookConfig(ctx); !apierrors.IsNotFound(err) {
		t.Fatalf("it was made again: %v", err)
	}

	if err := l.program.Stop(); err != nil {
		t.Error(err)
	}
	accounts := l.typed.CoreV1().ServiceAccounts("fairway-system")
	if err := accounts.Delete(ctx, "fairway", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	again := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "fairway"}}
	if _, err := accounts.Create(ctx, again, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if l.account(ctx) == first {
		t.Fatal("it is the same account")
	}
	l.byToken()
	l.serve()
	l.until("the next install enforces", func(ctx context.Context) error {
		if _, err := l.hookConfig(ctx); err != nil {
			return err
		}
		up, err := l.metric(ctx, "fairway_enforcement_up", "")
		if err == nil && up != 1 {
			err = errors.New("the canary is not refused yet")
		}
		return err
	})
}

// byToken has the program be the service account itself, by a token, as a pod is.
func (l *serveLab) byToken() {
	l.t.Helper()
	token, err := l.typed.CoreV1().ServiceAccounts("fairway-system").CreateToken(l.t.Context(), "fairway", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(l.cluster.Config)
	config.BearerToken = token.Status.Token
	if err := controlplane.WriteKubeconfig(filepath.Join(l.dir, "kubeconfig"), config); err != nil {
		l.t.Fatal(err)
	}
}

// account is the UID of the program's service account.
func (l *serveLab) account(ctx context.Context) types.UID {
	l.t.Helper()
	account, err := l.typed.CoreV1().ServiceAccounts("fairway-system").Get(ctx, "fairway", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return account.UID
}
