package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/canon"
)

// makeKeys reads the keys and the latch, and makes both in a new install. What gates need of the keys
// is published last: a gate that finds it finds a latch too.
func (in *install) makeKeys(ctx context.Context) error {
	found, isNew, err := loadKeys(ctx, in.cluster.client, in.o.Namespace)
	if err != nil {
		return err
	}
	in.keys = found
	if err := in.unseal(ctx, isNew); err != nil {
		return err
	}
	if err := publishKeys(ctx, in.cluster.client, in.o.Namespace, found); err != nil {
		return err
	}
	in.stock()
	return nil
}

// takeKeys reads what a gate needs of the keys, and the latch.
func (in *install) takeKeys(ctx context.Context) error {
	found, err := readGateKeys(ctx, in.cluster.client, in.o.Namespace, in.o.ProverKey)
	if err != nil {
		return err
	}
	in.keys = found
	if err := in.unseal(ctx, false); err != nil {
		return err
	}
	in.stock()
	return nil
}

// publishKeys keeps the Secret that gates read as the keys are.
func publishKeys(ctx context.Context, c client.Client, namespace string, k keys) error {
	public, err := attest.ProverPublicPEM(k.public)
	if err != nil {
		return err
	}
	immutable := true
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: gateKeysName}, Immutable: &immutable,
		Data: map[string][]byte{publicPart: public, digestPart: k.secret},
	}
	at := client.ObjectKeyFromObject(want)
	var have corev1.Secret
	err = c.Get(ctx, at, &have)
	switch {
	case err == nil && bytes.Equal(have.Data[publicPart], public) && bytes.Equal(have.Data[digestPart], k.secret):
		return nil
	case err == nil: // of other keys: gates would believe what nobody signs any more
		err = c.Delete(ctx, &have, client.Preconditions{UID: &have.UID})
	}
	if client.IgnoreNotFound(err) == nil {
		err = c.Create(ctx, want)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) { // another prover's, which has the same keys
		return fmt.Errorf("publishing Secret %s: %w", at, err)
	}
	return nil
}

// errOtherKey is a prover's key that is not the one that the gate was told to expect.
var errOtherKey = errors.New("the prover's key is not the one that --prover-key names")

// readGateKeys reads what a gate needs of the keys. Where pinned is not empty, the prover's key must be
// the one of that id.
func readGateKeys(ctx context.Context, c client.Client, namespace, pinned string) (k keys, err error) {
	at := types.NamespacedName{Namespace: namespace, Name: gateKeysName}
	var secret corev1.Secret
	if err := c.Get(ctx, at, &secret); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	if k.public, err = attest.ParseProverPublic(secret.Data[publicPart]); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	if id := attest.ProverKeyID(k.public); pinned != "" && id != pinned {
		return keys{}, fmt.Errorf("%w: it is %s", errOtherKey, id)
	}
	if k.digest, err = canon.NewKey(secret.Data[digestPart]); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	k.secret = secret.Data[digestPart]
	return k, nil
}
