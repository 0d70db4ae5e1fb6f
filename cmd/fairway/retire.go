package main

import (
	"context"
	"fmt"
	"io"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
)

// retireFor is how long the prover is told to leave the webhook configuration alone: long enough to be
// uninstalled meanwhile. If it is not, it goes on keeping it as long as gates answer.
const retireFor = time.Minute

// retire takes enforcement away (ruling 27): who guards first, then what enforces. Each step that was
// done before is passed over, so a retirement that was cut off can be done again.
func retire(ctx context.Context, o cli.RetireOptions, out io.Writer) error {
	cluster, err := connect(o.Kubeconfig)
	if err != nil {
		return err
	}
	for _, name := range o.Guards {
		guard := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := remove(ctx, cluster.client, out, guard); err != nil {
			return err
		}
	}
	account, err := accountOf(ctx, cluster.client, o)
	if err != nil {
		return err
	}
	if err := allowed(ctx, func() error { return pauseGuard(ctx, cluster.client, o.Namespace, account) }); err != nil {
		return err
	}
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: o.Webhook}}
	return allowed(ctx, func() error { return remove(ctx, cluster.client, out, hook) })
}

// guardsGone is how long API servers may take to see that a guard is gone.
const guardsGone = 30 * time.Second

// allowed does what is forbidden as long as the guards that were removed are still seen.
func allowed(ctx context.Context, step func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, guardsGone, true, func(context.Context) (bool, error) {
		last = step()
		return !apierrors.IsForbidden(last), nil
	})
	if last != nil {
		return last
	}
	return err
}

func remove(ctx context.Context, c client.Client, out io.Writer, object client.Object) error {
	err := c.Delete(ctx, object)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing %T %q: %w", object, object.GetName(), err)
	}
	_, err = fmt.Fprintf(out, "removed %T %s\n", object, object.GetName())
	return err
}

// accountOf is the UID of the service account of the provers, by which they know that they are meant. Without
// the right to read it every prover is.
func accountOf(ctx context.Context, c client.Client, o cli.RetireOptions) (string, error) {
	if o.Prover == "" {
		return "", nil
	}
	var account corev1.ServiceAccount
	err := c.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: o.Prover}, &account)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading who is told: %w", err)
	}
	return string(account.UID), nil
}

// pauseGuard makes or renews the Lease by which the provers of an account leave the configuration as people
// put it.
func pauseGuard(ctx context.Context, c client.Client, namespace, account string) error {
	holder, seconds, now := controller.Retiring(account), int32(retireFor/time.Second), metav1.NowMicro()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: controller.EmergencyLease}}
	err := c.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("telling the prover: %w", err)
	}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now}
	if apierrors.IsNotFound(err) {
		err = c.Create(ctx, lease)
	} else {
		err = c.Update(ctx, lease)
	}
	if err != nil {
		return fmt.Errorf("telling the prover: %w", err)
	}
	return nil
}
