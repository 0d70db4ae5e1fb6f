package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/authority"
	"github.com/fairway-dev/fairway/internal/cli"
)

// authoritySecret holds the authorities' keys. Gates do not mount it.
const authoritySecret = "fairway-authority"

// The parts of the two Secrets.
const (
	signerPart, signerKeyPart = "signer.crt", "signer.key"
	nextPart, nextKeyPart     = "next.crt", "next.key"
	announcedPart, bundlePart = "announced-at", "bundle.crt"
	caPart                    = "ca.crt"
)

// rotation keeps the serving certificate of an install current: the authorities in a Secret of their own,
// and the serving pair with the bundle in the one that gates and prover mount. The guard of the webhook
// configuration takes the bundle from there, and what stands in that configuration says what API servers
// know. One prover at a time does so. What it could not finish it begins again at the next turn.
type rotation struct {
	client    client.Client
	log       logr.Logger
	namespace string
	secret    string // of the serving pair
	webhook   string // name of the configuration
	every     time.Duration
	set       authority.Settings
	now       func() time.Time
}

// newRotation is the work of rotating, where an install asks for it.
func newRotation(c client.Client, o cli.ServeOptions, log logr.Logger) []func(context.Context) error {
	if o.Rotate.Secret == "" {
		return nil
	}
	r := &rotation{
		client: c, log: log, namespace: o.Namespace, secret: o.Rotate.Secret, webhook: o.Webhook.Name, every: o.Rotate.Check, now: time.Now,
		set: authority.Settings{Host: o.Rotate.Name, Serving: o.Rotate.Serving, Authority: o.Rotate.Authority, Settle: 2 * o.Rotate.Check},
	}
	return []func(context.Context) error{r.Run}
}

// Run looks at the certificates until the context ends.
func (r *rotation) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	for {
		if err := r.step(ctx); err != nil && ctx.Err() == nil {
			r.log.Error(err, "certificates could not be rotated; what there is stays in use")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// step brings everything one step further: the state first, so that no key is lost that something was
// signed with.
func (r *rotation) step(ctx context.Context) error {
	kept, err := r.read(ctx, authoritySecret)
	if err != nil {
		return err
	}
	serving, err := r.read(ctx, r.secret)
	if err != nil {
		return err
	}
	published, err := r.published(ctx)
	if err != nil {
		return err
	}
	before := stateOf(kept, serving)
	after, err := authority.Rotate(before, published, r.now(), r.set)
	if err != nil {
		return fmt.Errorf("rotating certificates: %w", err)
	}
	announced := ""
	if !after.AnnouncedAt.IsZero() {
		announced = strconv.FormatInt(after.AnnouncedAt.Unix(), 10)
	}
	if err := r.keep(ctx, kept, corev1.SecretTypeOpaque, map[string][]byte{
		signerPart: after.Signer.Certificate, signerKeyPart: after.Signer.Key, nextPart: after.Next.Certificate, nextKeyPart: after.Next.Key,
		bundlePart: after.Bundle, announcedPart: []byte(announced),
	}); err != nil {
		return err
	}
	if !bytes.Equal(before.Serving.Certificate, after.Serving.Certificate) {
		r.log.Info("gates get a new serving certificate", "secret", r.secret)
	}
	return r.keep(ctx, serving, corev1.SecretTypeTLS, map[string][]byte{
		corev1.TLSCertKey: after.Serving.Certificate, corev1.TLSPrivateKeyKey: after.Serving.Key, caPart: after.Bundle,
	})
}

// stateOf is the state that two Secrets hold.
func stateOf(kept, serving *corev1.Secret) authority.State {
	s := authority.State{
		Signer:  authority.Pair{Certificate: kept.Data[signerPart], Key: kept.Data[signerKeyPart]},
		Next:    authority.Pair{Certificate: kept.Data[nextPart], Key: kept.Data[nextKeyPart]},
		Bundle:  kept.Data[bundlePart],
		Serving: authority.Pair{Certificate: serving.Data[corev1.TLSCertKey], Key: serving.Data[corev1.TLSPrivateKeyKey]},
	}
	if at, err := strconv.ParseInt(string(kept.Data[announcedPart]), 10, 64); err == nil {
		s.AnnouncedAt = time.Unix(at, 0)
	}
	return s
}

// read is a Secret as it stands; one that is not there has no resource version.
func (r *rotation) read(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	at := types.NamespacedName{Namespace: r.namespace, Name: name}
	if err := r.client.Get(ctx, at, secret); err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	secret.Namespace, secret.Name = r.namespace, name
	return secret, nil
}

// keep writes a Secret where it differs. Somebody who was faster makes it fail, and the next turn begins
// from what they wrote.
func (r *rotation) keep(ctx context.Context, have *corev1.Secret, kind corev1.SecretType, data map[string][]byte) error {
	same := have.ResourceVersion != ""
	for part, content := range data {
		same = same && bytes.Equal(have.Data[part], content)
	}
	if same {
		return nil
	}
	want := have.DeepCopy()
	want.Data = data
	write := func() error { return r.client.Update(ctx, want) }
	if have.ResourceVersion == "" {
		want.Type = kind
		write = func() error { return r.client.Create(ctx, want) }
	}
	if err := write(); err != nil {
		return fmt.Errorf("writing Secret %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}

// configuration is the webhook configuration; nil: there is none.
func configuration(ctx context.Context, c client.Reader, name string) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	if name == "" {
		return nil, nil
	}
	var found admissionregistrationv1.ValidatingWebhookConfiguration
	if err := c.Get(ctx, types.NamespacedName{Name: name}, &found); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the webhook configuration: %w", err)
	}
	return &found, nil
}

// published are the bundles that API servers have.
func (r *rotation) published(ctx context.Context) ([][]byte, error) {
	found, err := configuration(ctx, r.client, r.webhook)
	if err != nil || found == nil {
		return nil, err
	}
	var all [][]byte
	for _, w := range found.Webhooks {
		all = append(all, w.ClientConfig.CABundle)
	}
	return all, nil
}
