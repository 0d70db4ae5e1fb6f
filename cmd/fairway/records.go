package main

import (
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/policy"
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
