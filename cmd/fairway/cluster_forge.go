package main

import (
	"context"
	"crypto/x509"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/gitea"
	"github.com/fairway-dev/fairway/internal/forge/github"
	"github.com/fairway-dev/fairway/internal/forge/gitlab"
	"github.com/fairway-dev/fairway/internal/tier"
)

// speaker is what reads one forge and its webhooks.
type speaker interface {
	forge.Reader
	forge.Hook
}

// speakerOf is the reader of a repository's forge. The token goes to its host and to no other.
func speakerOf(at tier.Forge, token string, roots *x509.CertPool, metrics *forge.Metrics) (speaker, error) {
	a := forge.Access{
		URL: at.URL, AllowPrivate: at.Private, AllowLoopback: at.Private, Roots: roots, Metrics: metrics,
	}
	if token != "" {
		a.Token = forge.NewSecret(token)
	}
	switch at.Kind {
	case tier.GitHub:
		return orNone(github.New(a))
	case tier.GitLab:
		return orNone(gitlab.New(a))
	case tier.Gitea:
		return orNone(gitea.New(a))
	}
	return nil, fmt.Errorf("forge of kind %q is not known", at.Kind)
}

// orNone keeps a nil of one type from becoming something of another.
func orNone[T speaker](s T, err error) (speaker, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// anonymous reads forges without a token: an install without a cluster has no Secrets.
func anonymous(metrics *forge.Metrics) func(context.Context, tier.Repository) (forge.Reader, error) {
	return func(_ context.Context, r tier.Repository) (forge.Reader, error) {
		return speakerOf(*r.Forge, "", nil, metrics)
	}
}

// forges makes the reader of a repository's forge, with what its Secret holds.
func (a *access) forges(metrics *forge.Metrics) func(context.Context, tier.Repository) (forge.Reader, error) {
	return func(ctx context.Context, r tier.Repository) (forge.Reader, error) {
		spec, err := a.forgeOf(ctx, r.Name)
		if err != nil {
			return nil, err
		}
		secret, err := a.read(ctx, spec.CredentialsSecret)
		if err != nil {
			return nil, err
		}
		token := secret.Data[v1alpha1.ForgeToken]
		if spec.CredentialsSecret != nil && len(token) == 0 {
			return nil, fmt.Errorf("%w: Secret %s/%s has no key %s", errCredentials, a.namespace, secret.Name, v1alpha1.ForgeToken)
		}
		var roots *x509.CertPool
		if pem, ok := secret.Data[v1alpha1.CredentialCA]; ok {
			roots = x509.NewCertPool()
			if !roots.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("%w: key %s of Secret %s/%s holds no certificate", errCredentials, v1alpha1.CredentialCA, a.namespace, secret.Name)
			}
		}
		return speakerOf(*r.Forge, string(token), roots, metrics)
	}
}

// forgeOf is what a Repository says of its forge; empty where it says nothing.
func (a *access) forgeOf(ctx context.Context, repository string) (v1alpha1.Forge, error) {
	var r v1alpha1.Repository
	if err := a.client.Get(ctx, types.NamespacedName{Name: repository}, &r); err != nil || r.Spec.Forge == nil {
		return v1alpha1.Forge{}, err
	}
	return *r.Spec.Forge, nil
}

// read is a Secret of Fairway's own namespace; an empty one where none is named.
func (a *access) read(ctx context.Context, ref *v1alpha1.SecretReference) (corev1.Secret, error) {
	var secret corev1.Secret
	if ref == nil {
		return secret, nil
	}
	at := types.NamespacedName{Namespace: a.namespace, Name: ref.Name}
	if err := a.client.Get(ctx, at, &secret); err != nil {
		return secret, fmt.Errorf("%w: Secret %s: %w", errCredentials, at, err)
	}
	return secret, nil
}

// forgeVersion is that of the Secret with the token, so that the forge is asked with a new one when it
// changes. One that is not there is a version, too: it holds up the forge's reviews and nothing else.
func (a *access) forgeVersion(ctx context.Context, repository string) (string, error) {
	spec, err := a.forgeOf(ctx, repository)
	if err != nil || spec.CredentialsSecret == nil {
		return "", err
	}
	secret, err := a.read(ctx, spec.CredentialsSecret)
	if apierrors.IsNotFound(err) {
		return "none", nil
	}
	return string(secret.UID) + "/" + secret.ResourceVersion, err
}

// hookOf reads the webhooks of a repository's forge, with the secrets that they are signed with; nil
// where none are taken.
func (a *access) hookOf(ctx context.Context, r tier.Repository) (forge.Hook, []forge.Secret, error) {
	spec, err := a.forgeOf(ctx, r.Name)
	if err != nil || spec.WebhookSecret == nil || r.Forge == nil {
		return nil, nil, err
	}
	secret, err := a.read(ctx, spec.WebhookSecret)
	if err != nil {
		return nil, nil, err
	}
	value := secret.Data[v1alpha1.ForgeWebhookSecret]
	if len(value) == 0 {
		return nil, nil, fmt.Errorf("%w: Secret %s/%s has no key %s", errCredentials, a.namespace, secret.Name, v1alpha1.ForgeWebhookSecret)
	}
	hook, err := speakerOf(*r.Forge, "", nil, nil)
	return hook, []forge.Secret{forge.NewSecret(string(value))}, err
}
