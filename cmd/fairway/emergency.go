package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
)

// breakGlassRequest is the BreakGlass object of a signed request, as YAML.
func breakGlassRequest(_ context.Context, o cli.BreakGlassOptions) ([]byte, error) {
	signer, err := signature.LoadSigner(o.Key, passphrase)
	if err != nil {
		return nil, err
	}
	from := o.From.UTC().Truncate(time.Second)
	said := attest.BreakGlassRequest{
		Namespace: o.Namespace, NamespaceUID: o.NamespaceUID, User: o.User, Reason: o.Reason, Ticket: o.Ticket,
		NotBefore: from, NotAfter: from.Add(o.For), SaidAt: from, Nonce: rand.Text(),
	}
	envelope, err := attest.SignBreakGlassRequest(said, signer)
	if err != nil {
		return nil, err
	}
	name := o.Name
	if name == "" {
		name = "breakglass-" + strings.ToLower(said.Nonce[:10])
	}
	return breakGlassYAML(v1alpha1.BreakGlass{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: o.Namespace},
		Spec: v1alpha1.BreakGlassSpec{
			Reason: o.Reason, Ticket: o.Ticket, User: o.User, NotBefore: metav1.NewTime(said.NotBefore),
			NotAfter: metav1.NewTime(said.NotAfter), Nonce: said.Nonce, NamespaceUID: o.NamespaceUID, Request: string(envelope),
		},
	})
}

// errOtherRequest is a BreakGlass whose fields say something else than its signed request.
var errOtherRequest = errors.New("the fields of the object differ from the request that was signed; do not approve it")

// errOwnRequest is an approval that would count for nothing: one person never fills two places.
var errOwnRequest = errors.New("this key signed the request: somebody else must agree to it")

// breakGlassApprove adds a signed approval to a BreakGlass. Who approves has no list of people at
// hand, so the request's signature is left to the gate; what is approved is the request itself.
func breakGlassApprove(_ context.Context, raw []byte, key string) ([]byte, error) {
	var b v1alpha1.BreakGlass
	if err := yaml.UnmarshalStrict(raw, &b); err != nil {
		return nil, fmt.Errorf("reading the BreakGlass: %w", err)
	}
	signer, err := signature.LoadSigner(key, passphrase)
	if err != nil {
		return nil, err
	}
	request, no := attest.ReadBreakGlassRequest([]byte(b.Spec.Request))
	if no != nil {
		return nil, fmt.Errorf("reading the request: %s", no)
	}
	if !sameRequest(b, request.Statement()) {
		return nil, errOtherRequest
	}
	if request.ClaimedKey() == signer.Fingerprint() {
		return nil, errOwnRequest
	}
	envelope, err := request.Approve(b.Spec.NotAfter.Time, time.Now(), signer)
	if err != nil {
		return nil, err
	}
	b.Spec.Approvals = append(b.Spec.Approvals, string(envelope))
	return breakGlassYAML(b)
}

// sameRequest reports whether the fields that people read are those that were signed.
func sameRequest(b v1alpha1.BreakGlass, r attest.BreakGlassRequest) bool {
	s := b.Spec
	return b.Namespace == r.Namespace && s.NamespaceUID == r.NamespaceUID && s.User == r.User && s.Reason == r.Reason &&
		s.Ticket == r.Ticket && s.NotBefore.Time.Equal(r.NotBefore) && s.NotAfter.Time.Equal(r.NotAfter) && s.Nonce == r.Nonce
}

func breakGlassYAML(b v1alpha1.BreakGlass) ([]byte, error) {
	b.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "BreakGlass"}
	raw, err := yaml.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("writing the BreakGlass: %w", err)
	}
	return raw, nil
}

// rollback signs that a namespace may go back to a commit, keeps it on the principal's ref and
// sends it.
func rollback(ctx context.Context, o cli.RollbackOptions) (string, error) {
	signer, err := signature.LoadSigner(o.Key, passphrase)
	if err != nil {
		return "", mistaken(err)
	}
	if !address(o.Repository) {
		return "", mistaken(fmt.Errorf("repository %q is no URL: give spec.url of the Repository, or one of its aliases", o.Repository))
	}
	repo, err := openClone(ctx, o.Dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = repo.Close() }()
	commit, err := repo.Resolve(ctx, o.Commit)
	if err != nil {
		return "", unknownName(o.Commit, err)
	}
	now := time.Now()
	envelope, err := attest.SignRollback(attest.Rollback{
		Namespace: o.Namespace, NamespaceUID: o.NamespaceUID, TargetCommit: commit,
		Source: attest.Source{Repository: o.Repository, Branch: o.Branch, Path: o.Path},
		Proof:  store.ProofName(change.Proof{Source: o.Source, Commit: commit}),
		Reason: o.Reason, Ticket: o.Ticket, SaidAt: now, Expires: now.Add(o.For),
	}, signer)
	if err != nil {
		return "", mistaken(err)
	}
	return record(ctx, repo, kept{
		principal: o.As, remote: o.Remote, message: "rollback to " + commit, envelope: envelope, object: commit,
	})
}
