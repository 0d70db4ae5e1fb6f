package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/store"
)

// The Secrets of Fairway's own keys, in its own namespace. The prover's is made at the first start and
// never changed. The gates' is made from it, and holds nothing that signs: who takes a gate over can
// forge no proof.
const (
	keysName     = "fairway-keys"
	gateKeysName = "fairway-gate-keys"
	proverPart   = "prover.key" // PEM: signs ProvenCommits
	publicPart   = "prover.pub" // PEM: what verifies them
	digestPart   = "digest.key" // raw: keys the digests of objects and the code of the seal
)

// keys are Fairway's own. The prover's public key is the one that is pinned: whatever another key
// signed is not believed.
type keys struct {
	prover attest.ProverKey // zero in a gate
	public ed25519.PublicKey
	digest canon.Key
	secret []byte // of the digests
}

// Verify reports whether our own key has that id and made that signature.
func (k keys) Verify(keyID string, payload, sig []byte) bool {
	return keyID == attest.ProverKeyID(k.public) && attest.VerifyProver(k.public, payload, sig)
}

// errKeysLost is why Fairway does not start without its Secret in an install that is not new. Making new
// keys by itself would take every proof and the latch out of force in silence.
var errKeysLost = errors.New("the Secret is gone, and with it what signed the ProvenCommits and the seal of this install: " +
	"restore it from a backup; or, to begin anew and have everything proven again, delete the ConfigMap " + store.SealName +
	" in the same namespace and all ProvenCommits")

// loadKeys reads the keys, and makes them where the install is new: there is neither a seal nor any
// ProvenCommit yet.
func loadKeys(ctx context.Context, c client.Client, namespace string) (k keys, isNew bool, err error) {
	var secret corev1.Secret
	at := types.NamespacedName{Namespace: namespace, Name: keysName}
	err = c.Get(ctx, at, &secret)
	if apierrors.IsNotFound(err) {
		if err := mayBegin(ctx, c, namespace); err != nil {
			return keys{}, false, fmt.Errorf("reading Secret %s: %w", at, err)
		}
		made, makeErr := newKeys(namespace)
		if makeErr != nil {
			return keys{}, false, makeErr
		}
		if err = c.Create(ctx, made); err == nil {
			secret, isNew = *made, true
		} else if apierrors.IsAlreadyExists(err) {
			err = c.Get(ctx, at, &secret)
		}
	}
	if err != nil {
		return keys{}, false, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	k, err = parseKeys(&secret)
	return k, isNew, err
}

// readKeys reads the keys of an install that has them.
func readKeys(ctx context.Context, c client.Client, namespace string) (keys, error) {
	var secret corev1.Secret
	at := types.NamespacedName{Namespace: namespace, Name: keysName}
	if err := c.Get(ctx, at, &secret); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	return parseKeys(&secret)
}

func parseKeys(secret *corev1.Secret) (k keys, err error) {
	at := client.ObjectKeyFromObject(secret)
	if k.prover, err = attest.ParseProverKey(secret.Data[proverPart]); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	k.public = k.prover.Public()
	if k.digest, err = canon.NewKey(secret.Data[digestPart]); err != nil {
		return keys{}, fmt.Errorf("reading Secret %s: %w", at, err)
	}
	k.secret = secret.Data[digestPart]
	return k, nil
}

// mayBegin says why new keys must not be made.
func mayBegin(ctx context.Context, c client.Client, namespace string) error {
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: store.SealName}, &corev1.ConfigMap{})
	if err == nil {
		return errKeysLost
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	var proofs v1alpha1.ProvenCommitList
	if err := c.List(ctx, &proofs, client.Limit(1)); err != nil {
		return err
	}
	if len(proofs.Items) > 0 {
		return errKeysLost
	}
	return nil
}

func newKeys(namespace string) (*corev1.Secret, error) {
	prover, err := attest.NewProverKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	pem, err := prover.PEM()
	if err != nil {
		return nil, err
	}
	digest := make([]byte, canon.MinKey)
	_, _ = rand.Read(digest) // never fails: crypto/rand ends the process instead
	immutable := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: keysName},
		Immutable:  &immutable,
		Data:       map[string][]byte{proverPart: pem, digestPart: digest},
	}, nil
}

// whoAmI is our own user name, as the API server has it.
func whoAmI(ctx context.Context, typed kubernetes.Interface) (name, uid string, err error) {
	review, err := typed.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", "", fmt.Errorf("asking the API server who we are: %w", err)
	}
	return review.Status.UserInfo.Username, review.Status.UserInfo.UID, nil
}
