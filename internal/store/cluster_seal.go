package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// SealName is the ConfigMap, in Fairway's own namespace, that keeps the latch of ruling 9.
const SealName = "fairway-seal"

// The keys of the seal.
const (
	sealSealed  = "sealed"
	sealCluster = "cluster"
	sealMAC     = "mac"
)

// Seal is the latch of an install (ruling 9): once set it stays set, in memory and in a ConfigMap whose
// content carries a code that only the holder of Fairway's keys can make. Everything about it that
// cannot be read or verified means sealed, and so does its absence where the install is not new.
type Seal struct {
	client    client.Client // not cached
	namespace string
	clusterID string
	key       []byte
	sealed    atomic.Bool
	written   atomic.Bool // the ConfigMap says sealed too
}

// NewSeal is the latch of an install; key is the secret of object digests. It is sealed until Load says
// otherwise.
func NewSeal(c client.Client, namespace, clusterID string, key []byte) *Seal {
	s := &Seal{client: c, namespace: namespace, clusterID: clusterID, key: key}
	s.sealed.Store(true)
	return s
}

// Sealed reports whether the latch is set.
func (s *Seal) Sealed() bool { return s.sealed.Load() }

// ErrSeal is a latch that cannot be believed; the install counts as sealed.
var ErrSeal = errors.New("the seal cannot be believed, so the install counts as sealed")

// Load reads the latch. A new install, whose keys were made just now, has none, and gets one that is
// not set. ErrSeal says that what was found is not believed: the latch is set then, and the caller may
// go on.
func (s *Seal) Load(ctx context.Context, isNew bool) error {
	var object corev1.ConfigMap
	err := s.client.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: SealName}, &object)
	switch {
	case apierrors.IsNotFound(err) && isNew:
		if err := s.client.Create(ctx, s.object(false)); err != nil {
			return fmt.Errorf("making the seal: %w", err)
		}
		s.sealed.Store(false)
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: ConfigMap %s/%s is gone", ErrSeal, s.namespace, SealName)
	case err != nil:
		return fmt.Errorf("reading the seal: %w", err)
	}
	for _, sealed := range []bool{true, false} {
		if hmac.Equal([]byte(object.Data[sealMAC]), []byte(s.mac(sealed))) && object.Data[sealSealed] == strconv.FormatBool(sealed) {
			s.sealed.Store(sealed)
			s.written.Store(sealed)
			return nil
		}
	}
	return fmt.Errorf("%w: the code of ConfigMap %s/%s is not ours", ErrSeal, s.namespace, SealName)
}

// Set sets the latch, in memory at once and then in the cluster. It may be called again where that
// failed.
func (s *Seal) Set(ctx context.Context) error {
	s.sealed.Store(true)
	if s.written.Load() {
		return nil
	}
	object := s.object(true)
	err := s.client.Update(ctx, object)
	if apierrors.IsNotFound(err) {
		err = s.client.Create(ctx, object)
	}
	if err != nil {
		return fmt.Errorf("keeping the seal: %w", err)
	}
	s.written.Store(true)
	return nil
}

func (s *Seal) object(sealed bool) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: SealName},
		Data:       map[string]string{sealSealed: strconv.FormatBool(sealed), sealCluster: s.clusterID, sealMAC: s.mac(sealed)},
	}
}

// mac is the code of a latch, for this cluster and this namespace alone.
func (s *Seal) mac(sealed bool) string {
	h := hmac.New(sha256.New, s.key)
	for _, part := range []string{"fairway.dev/v1alpha1 seal", s.clusterID, s.namespace, strconv.FormatBool(sealed)} {
		_, _ = h.Write([]byte(strconv.Itoa(len(part)) + ":" + part)) // a hash never fails to write
	}
	return hex.EncodeToString(h.Sum(nil))
}
