package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// remoteAccess is how a repository is reached.
type remoteAccess struct {
	gitrepo.Credentials
	caFile string // PEM bundle for https; empty: the system's
}

// access reads the credentials of repositories from Secrets of Fairway's own namespace. What git needs
// as files is kept in a folder that only we can read, and removed at the end.
type access struct {
	client    client.Client
	namespace string
	dir       string
}

// errCredentials is a Secret that cannot be used. Nothing of its values is in the message.
var errCredentials = errors.New("credentials")

// version is the Secret's, so that the mirror is opened again when it changes; empty where none is
// named.
func (a *access) version(ctx context.Context, repository string) (string, error) {
	secret, err := a.secret(ctx, repository)
	if err != nil || secret == nil {
		return "", err
	}
	return string(secret.UID) + "/" + secret.ResourceVersion, nil
}

func (a *access) secret(ctx context.Context, repository string) (*corev1.Secret, error) {
	var r v1alpha1.Repository
	if err := a.client.Get(ctx, types.NamespacedName{Name: repository}, &r); err != nil {
		return nil, err
	}
	if r.Spec.CredentialsSecret == nil {
		return nil, nil
	}
	var secret corev1.Secret
	at := types.NamespacedName{Namespace: a.namespace, Name: r.Spec.CredentialsSecret.Name}
	if err := a.client.Get(ctx, at, &secret); err != nil {
		return nil, fmt.Errorf("%w: Secret %s: %w", errCredentials, at, err)
	}
	return &secret, nil
}

// of are the credentials of a repository; none where it names no Secret.
func (a *access) of(ctx context.Context, repository string) (remoteAccess, error) {
	secret, err := a.secret(ctx, repository)
	if err != nil || secret == nil {
		return remoteAccess{}, err
	}
	out := remoteAccess{Credentials: gitrepo.Credentials{
		Username: string(secret.Data[v1alpha1.CredentialUsername]), Password: string(secret.Data[v1alpha1.CredentialPassword]),
	}}
	for key, to := range map[string]*string{
		v1alpha1.CredentialIdentity: &out.SSHKeyFile, v1alpha1.CredentialKnownHosts: &out.KnownHostsFile, v1alpha1.CredentialCA: &out.caFile,
	} {
		content, ok := secret.Data[key]
		if !ok {
			continue
		}
		if *to, err = a.keep(repository, key, content); err != nil {
			return remoteAccess{}, fmt.Errorf("%w: key %s of Secret %s/%s: %w", errCredentials, key, a.namespace, secret.Name, err)
		}
	}
	return out, nil
}

// keep writes a file that only we can read, in place of the one before.
func (a *access) keep(repository, name string, content []byte) (string, error) {
	dir, err := filepath.Abs(filepath.Join(a.dir, repository))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	next := path + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(next, path)
}

// forget removes every file.
func (a *access) forget() { _ = os.RemoveAll(a.dir) } // what is left is readable to us alone
