package main

import (
	"slices"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// records are the gate's view of the statements that were verified.
type records struct {
	state      *store.State
	ways       rollbacks
	selfSigned func(raw []byte) change.Found
}

// Grants are the break-glasses of a namespace.
func (r records) Grants(namespace string) []policy.Grant { return r.state.Grants(namespace) }

// Rollbacks names the principals who signed for a roll-back of a namespace to a commit.
func (r records) Rollbacks(key change.SourceKey, commit, proof string) []string {
	world := r.state.World()
	return r.ways.signed(key, world.Namespaces[key.Namespace].UID, world.Repositories[key.Repository].URL, commit, proof)
}

// SelfSigned says whether an object is one of ours with the prover's good signature.
func (r records) SelfSigned(raw []byte) change.Found { return r.selfSigned(raw) }

// grants verifies the statements of break-glasses against the people in force. One that does not
// open anything is left out, and why is told.
func grants(all []v1alpha1.BreakGlass, world *tier.World, now time.Time, log logr.Logger) map[string][]policy.Grant {
	keyring, _ := signature.NewKeyring(world.People)
	out := map[string][]policy.Grant{}
	for _, b := range all {
		g, refusals := grant(b, world, keyring, now)
		for _, no := range refusals {
			log.Info("break-glass opens nothing", "namespace", b.Namespace, "name", b.Name, "why", no.String())
		}
		if len(refusals) == 0 {
			out[b.Namespace] = append(out[b.Namespace], g)
		}
	}
	return out
}

// grant verifies one break-glass. Its statements count as first seen now: they are short-lived, and
// a key that has expired since must not open anything.
func grant(b v1alpha1.BreakGlass, world *tier.World, keyring *signature.Keyring, now time.Time) (policy.Grant, []attest.Refusal) {
	request, no := attest.VerifyBreakGlassRequest([]byte(b.Spec.Request), now, keyring)
	if no != nil {
		return policy.Grant{}, []attest.Refusal{*no}
	}
	var approvals []attest.Signed[attest.BreakGlassApproval]
	var refusals []attest.Refusal
	for _, envelope := range b.Spec.Approvals {
		approval, no := attest.VerifyBreakGlassApproval([]byte(envelope), now, keyring)
		if no != nil {
			refusals = append(refusals, *no)
			continue
		}
		approvals = append(approvals, approval)
	}
	t, _ := world.Tier(b.Namespace)
	if b.Namespace == world.Install.Namespace && world.Cluster != nil {
		t, _ = world.ClusterTier()
	}
	g, wrong := attest.BreakGlass(request, approvals, attest.Emergency{
		Namespace: b.Namespace, NamespaceUID: world.Namespaces[b.Namespace].UID, Rule: t.BreakGlass, People: world.People,
	})
	if len(wrong) > 0 {
		return policy.Grant{}, append(refusals, wrong...)
	}
	return policy.Grant{
		Name: b.Name, Verified: change.Present, NamespaceUID: g.NamespaceUID, User: g.User, Requester: g.Requester,
		Approvers: g.Approvers, From: g.NotBefore, Until: g.NotAfter, Spent: change.FoundIf(b.Status.ClosedAt != nil),
	}, nil
}

// sealing says whether a cluster binding is the one that the install was told to expect: all its
// sources are the named repository, and somebody who owns it holds the named key (ruling 9).
func sealing(o cli.ServeOptions) func(tier.Binding, *tier.World) change.Found {
	return func(b tier.Binding, world *tier.World) change.Found {
		if o.SealRepository == "" || o.SealKey == "" || len(b.Sources) == 0 {
			return change.Absent
		}
		for _, s := range b.Sources {
			if world.Repositories[s.Repository].URL != o.SealRepository {
				return change.Absent
			}
		}
		for _, owner := range b.Owners {
			for _, name := range world.People.Members(owner) {
				p, _ := world.People.Get(name)
				if slices.ContainsFunc(p.Keys, func(k tier.Key) bool { return sameKey(k, o.SealKey) }) {
					return change.Present
				}
			}
		}
		return change.Absent
	}
}

// sameKey compares an SSH key with a fingerprint as ssh-keygen -l prints it.
func sameKey(k tier.Key, fingerprint string) bool {
	if k.Format != tier.SSH {
		return false
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k.Public))
	return err == nil && ssh.FingerprintSHA256(public) == fingerprint
}
