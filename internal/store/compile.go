package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Kinds are the objects that a World is compiled from, as they were read.
type Kinds struct {
	Tiers        []v1alpha1.EnvironmentTier
	Bindings     []v1alpha1.TierBinding
	Teams        []v1alpha1.Team
	Repositories []v1alpha1.Repository
	Namespaces   []corev1.Namespace
	BreakGlasses []v1alpha1.BreakGlass
	CRDs         []apiextensionsv1.CustomResourceDefinition
}

// Settings of an install that are no kind's.
type Settings struct {
	Namespace string   // Fairway's own
	System    []string // namespaces that the cluster could not start without
	Sealed    bool     // the latch (ruling 9)
	Schema    string   // digest of the schemas objects are rendered with
}

// Compile makes a World of kinds. It never fails: what cannot be compiled is left out and named in
// World.Problems. Before is the World in force, or nil: a namespace on its way out keeps the
// binding it had there (ruling 8), and a sealed install whose binding is gone the engines that it listed.
func Compile(k Kinds, s Settings, before *tier.World) *tier.World {
	c := compiler{world: &tier.World{
		Tiers: map[string]tier.Tier{}, Bindings: map[string]tier.Binding{}, Namespaces: map[string]tier.Namespace{},
		Repositories: map[string]tier.Repository{}, Schema: s.Schema,
		Install: tier.Install{Namespace: s.Namespace, System: s.System, Sealed: s.Sealed},
	}}
	for _, t := range k.Tiers {
		c.tier(t)
	}
	c.people(k.Teams)
	for _, r := range k.Repositories {
		c.repository(r)
	}
	c.aliases()
	for _, b := range k.Bindings {
		c.binding(b, s.Namespace)
	}
	if c.world.Cluster == nil && s.Sealed && before != nil {
		c.world.Install.Engines = before.Install.Engines // or nobody would judge what they bring to system namespaces
	}
	c.oneKey()
	for _, ns := range k.Namespaces {
		c.namespace(ns, before)
	}
	slices.Sort(c.world.Problems)
	return c.world
}

type compiler struct{ world *tier.World }

func (c *compiler) problem(format string, args ...any) {
	c.world.Problems = append(c.world.Problems, fmt.Sprintf(format, args...))
}

func (c *compiler) tier(in v1alpha1.EnvironmentTier) {
	out := tier.Tier{
		Name: in.Name, Generation: in.Generation, Digest: digest(in.Spec), Rank: int(in.Spec.Rank),
		Lane: tier.Lane(in.Spec.Lane), Enforcement: tier.Enforcement(in.Spec.Enforcement),
		Branches: in.Spec.Source.Branches, Declared: tier.Declared(cmp.Or(in.Spec.Source.Declared, v1alpha1.DeclaredOptional)),
		Reciprocal: in.Spec.Reciprocal != "" && in.Spec.Reciprocal != v1alpha1.ReciprocalNotRequired, // files may say anything
		Connect:    tier.Policy(in.Spec.Connect), Scale: tier.Policy(in.Spec.Scale),
		Controllers: controllers(in.Spec.Controllers),
		Signatures:  tier.SignatureRule{Require: tier.EveryCommit},
	}
	if in.Spec.Signatures != nil {
		out.Signatures.From = in.Spec.Signatures.From
		if in.Spec.Signatures.Require != "" {
			out.Signatures.Require = tier.SignatureScope(in.Spec.Signatures.Require)
		}
	}
	for _, a := range in.Spec.Approvals {
		rule := tier.ApprovalRule{
			Name: a.Name, Minimum: max(1, int(a.Minimum)), From: tier.From(a.From), Teams: a.Teams, Level: tier.Level(a.Level),
		}
		if a.When != nil {
			rule.When.AuthorIn = a.When.AuthorIn
		}
		out.Approvals = append(out.Approvals, rule)
	}
	if !c.patterns(in, &out) {
		return
	}
	if r := in.Spec.Rollback; r != nil && r.Mode == v1alpha1.RollbackAllow {
		out.Rollback = tier.RollbackRule{Enabled: true, Approvals: int(r.Approvals)}
		if r.Window != nil {
			out.Rollback.Window = r.Window.Duration
		}
	}
	if b := in.Spec.BreakGlass; b != nil {
		out.BreakGlass = tier.BreakGlassRule{MaxDuration: b.MaxDuration.Duration, Approvals: max(1, int(b.Approvals))}
		if b.ReviewWithin != nil {
			out.BreakGlass.ReviewWithin = b.ReviewWithin.Duration
		}
	}
	c.world.Tiers[in.Name] = out
}

// patterns compiles what can fail to compile; a tier with a bad pattern does not exist.
func (c *compiler) patterns(in v1alpha1.EnvironmentTier, out *tier.Tier) bool {
	if in.Spec.NamespaceSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(in.Spec.NamespaceSelector)
		if err != nil {
			c.problem("tier %q: namespaceSelector: %v", in.Name, err)
			return false
		}
		out.Selector = byLabels{selector}
	}
	if in.Spec.Trace != nil {
		for _, t := range in.Spec.Trace.Trailers {
			pattern, err := tier.ParsePattern(t.Pattern)
			if err != nil {
				c.problem("tier %q: pattern of trailer %q: %v", in.Name, t.Key, err)
				return false
			}
			out.Trailers = append(out.Trailers, tier.TrailerRule{Key: t.Key, Pattern: pattern, Message: t.Message})
		}
	}
	if in.Spec.Content != nil {
		for _, t := range in.Spec.Content.Tolerate {
			out.Tolerate = append(out.Tolerate, tier.Tolerance{Group: t.Group, Kind: t.Kind, Path: t.Path, Why: t.Why})
		}
	}
	return true
}

// byLabels lets a label selector speak of plain maps.
type byLabels struct{ selector labels.Selector }

func (s byLabels) Matches(set map[string]string) bool { return s.selector.Matches(labels.Set(set)) }

func controllers(in []v1alpha1.Controller) []tier.Controller {
	var out []tier.Controller
	for _, c := range in {
		to := tier.Controller{
			Name: c.Name, Users: c.Users, Groups: c.Groups, Kinds: c.Kinds, Fields: c.Fields, OwnerKinds: c.OwnerKinds, Why: c.Why,
		}
		for _, o := range c.Operations {
			to.Operations = append(to.Operations, string(o))
		}
		out = append(out, to)
	}
	return out
}

func (c *compiler) people(teams []v1alpha1.Team) {
	slices.SortFunc(teams, func(a, b v1alpha1.Team) int { return strings.Compare(a.Name, b.Name) })
	var specs []tier.TeamSpec
	var all []any
	for _, t := range teams {
		spec := tier.TeamSpec{Name: t.Name}
		roots := map[string]string{}
		for _, r := range t.Spec.SigstoreRoots {
			roots[r.Name] = r.TrustedRoot
		}
		for _, p := range t.Spec.Principals {
			for _, k := range p.Keys {
				if k.Format == v1alpha1.KeySigstore && roots[k.SigstoreRoot] == "" {
					c.problem("team %q: a key of %s names a sigstoreRoot that the team does not have", t.Name, p.Name)
				}
			}
			spec.Principals = append(spec.Principals, principal(p, roots))
		}
		specs = append(specs, spec)
		all = append(all, t.Name, t.Spec)
	}
	people, conflicts := tier.NewPeople(digest(all), specs)
	for _, conflict := range conflicts {
		c.problem("teams: %s", conflict)
	}
	c.world.People = people
}

// principal compiles one person. A key that names none of the team's trust roots has none: nothing counts by it, but
// what it revokes stays revoked.
func principal(in v1alpha1.Principal, roots map[string]string) tier.Principal {
	out := tier.Principal{Name: in.Name, Robot: in.Kind != "" && in.Kind != v1alpha1.PrincipalPerson, Emails: in.Emails, Users: in.Users}
	for _, a := range in.Accounts {
		out.Accounts = append(out.Accounts, tier.Account{Kind: tier.ForgeKind(a.Forge), Host: a.Host, ID: a.ID})
	}
	out.Keys = keys(in.Keys, roots)
	return out
}

func keys(in []v1alpha1.Key, roots map[string]string) []tier.Key {
	var out []tier.Key
	for _, k := range in {
		if k.Format == v1alpha1.KeySigstore {
			k.PublicKey = roots[k.SigstoreRoot]
		}
		key := tier.Key{
			Format: tier.KeyFormat(k.Format), Public: k.PublicKey, Compromised: k.Revocation != "" && k.Revocation != v1alpha1.KeyRetired,
			Identity: k.Identity, Issuer: k.Issuer, RevokedSerials: k.RevokedSerials,
		}
		if k.NotBefore != nil {
			key.NotBefore = k.NotBefore.Time
		}
		if k.NotAfter != nil {
			key.NotAfter = k.NotAfter.Time
		}
		if k.RevokedAt != nil {
			key.RevokedAt = k.RevokedAt.Time
		}
		out = append(out, key)
	}
	return out
}

func (c *compiler) repository(in v1alpha1.Repository) {
	out := tier.Repository{
		Name: in.Name, Generation: in.Generation, Digest: digest(in.Spec), URL: in.Spec.URL, Aliases: in.Spec.Aliases,
		Branches: in.Spec.Branches, Baseline: in.Spec.Baseline,
	}
	if in.Spec.PollInterval != nil {
		out.Poll = in.Spec.PollInterval.Duration
	}
	sources := in.Spec.ApprovalSources
	out.FromForge = slices.Contains(sources, v1alpha1.ApprovalSourceForge)
	out.FromRefs = len(sources) == 0 || slices.Contains(sources, v1alpha1.ApprovalSourceAttestation)
	if in.Spec.ForgeSigner != nil {
		out.ForgeKeys = keys(in.Spec.ForgeSigner.Keys, nil)
	}
	if in.Spec.Forge != nil {
		forge, err := forgeOf(*in.Spec.Forge)
		if err != nil {
			c.problem("repository %q: forge: %v", in.Name, err)
		} else {
			out.Forge = &forge
		}
	}
	if out.FromForge && out.Forge == nil {
		c.problem("repository %q: approvalSources names Forge, and there is no forge to ask", in.Name)
	}
	c.world.Repositories[in.Name] = out
}

// aliases takes out of force what could mean two repositories: a statement about the one would count
// for the other.
func (c *compiler) aliases() {
	claims := map[string]int{}
	for _, r := range c.world.Repositories {
		claims[r.URL]++
		for _, a := range r.Aliases {
			if a != r.URL {
				claims[a]++
			}
		}
	}
	for name, r := range c.world.Repositories {
		r.Aliases = slices.DeleteFunc(slices.Clone(r.Aliases), func(a string) bool {
			if claims[a] > 1 && a != r.URL {
				c.problem("repository %q: the alias %q is an address of another repository too, and counts for none", name, a)
				return true
			}
			return false
		})
		c.world.Repositories[name] = r
	}
}

func (c *compiler) binding(in v1alpha1.TierBinding, own string) {
	out := tier.Binding{
		Namespace: in.Namespace, Name: in.Name, Generation: in.Generation, Digest: digest(in.Spec),
		Tier: in.Spec.Tier, Owners: in.Spec.Owners, Controllers: controllers(in.Spec.Controllers),
	}
	for _, s := range in.Spec.Sources {
		out.Sources = append(out.Sources, source(s))
	}
	if _, ok := c.world.Tiers[out.Tier]; !ok {
		c.problem("binding %s/%s: there is no tier %q", in.Namespace, in.Name, out.Tier)
	}
	for _, s := range out.Sources {
		if _, ok := c.world.Repositories[s.Repository]; !ok {
			c.problem("binding %s/%s: source %q names repository %q, which does not exist", in.Namespace, in.Name, s.Name, s.Repository)
		}
	}
	switch {
	case in.Name == v1alpha1.BindingName:
		c.world.Bindings[in.Namespace] = out
	case in.Name == v1alpha1.ClusterBindingName && in.Namespace == own:
		c.world.Cluster = &out
		if i := in.Spec.Install; i != nil {
			c.world.Install.DefaultTier, c.world.Install.Engines, c.world.Install.ProverUsers = i.DefaultTier, i.Engines, i.ProverUsers
		}
	default:
		c.problem("binding %s/%s: a binding is named %q, or %q in namespace %s", in.Namespace, in.Name, v1alpha1.BindingName, v1alpha1.ClusterBindingName, own)
	}
}

func source(in v1alpha1.Source) tier.Source {
	out := tier.Source{
		Name: in.Name, Repository: in.Repository, Branch: in.Branch, Path: in.Path,
		Render: tier.Render(in.Render), FieldManager: in.FieldManager, Recreate: tier.Recreate(in.Recreate),
	}
	if h := in.Helm; h != nil {
		out.Helm = tier.Helm{
			Release: h.Release, Namespace: h.Namespace, ValuesFiles: h.ValuesFiles, KubeVersion: h.KubeVersion, APIVersions: h.APIVersions,
		}
		if h.Values != nil {
			out.Helm.Values = string(h.Values.Raw)
		}
	}
	manager := "kubectl"
	if v := in.Via; v != nil {
		switch {
		case v.Flux != nil:
			out.Via = tier.Via{Engine: "Flux", Owner: v.Flux.Kustomization, File: v.Flux.File, ConfigMaps: v.Flux.SubstituteFrom}
			manager = "kustomize-controller"
		case v.ArgoCD != nil:
			out.Via, manager = viaArgoCD(*v.ArgoCD), "argocd-controller"
		case v.Helm != nil:
			out.Via, manager = tier.Via{Engine: "Helm", Users: v.Helm.Users}, "helm"
		case v.HelmRelease != nil:
			out.Via = tier.Via{Engine: "HelmRelease", Owner: v.HelmRelease.Name, File: v.HelmRelease.File, ConfigMaps: v.HelmRelease.ValuesFrom, Users: v.HelmRelease.Users}
			manager = "helm-controller"
		case v.CI != nil:
			out.Via = tier.Via{Engine: "CI", Users: v.CI.Users, CommitClaim: v.CI.CommitClaim}
			for _, c := range v.CI.Claims {
				out.Via.Claims = append(out.Via.Claims, tier.Claim{Key: c.Key, Values: c.Values})
			}
		}
	}
	if out.FieldManager == "" {
		out.FieldManager = manager
	}
	return out
}

// viaArgoCD is an Application with the settings of its Argo CD. Files, unlike the API server, leave the
// defaults out.
func viaArgoCD(in v1alpha1.ViaArgoCD) tier.Via {
	return tier.Via{Engine: "ArgoCD", Owner: in.Application, ArgoCD: tier.ArgoCD{
		Tracking: string(in.Tracking), LabelKey: cmp.Or(in.InstanceLabelKey, "app.kubernetes.io/instance"),
		InstallationID: in.InstallationID, Namespace: cmp.Or(in.ControlNamespace, "argocd"), Destination: in.DestinationNamespace,
	}}
}

func (c *compiler) namespace(in corev1.Namespace, before *tier.World) {
	ns := tier.Namespace{Name: in.Name, UID: string(in.UID), Labels: in.Labels, Terminating: in.DeletionTimestamp != nil}
	c.world.Namespaces[in.Name] = ns
	if _, has := c.world.Bindings[in.Name]; has || !ns.Terminating {
		return
	}
	if before != nil {
		if last, had := before.Bindings[in.Name]; had {
			c.world.Bindings[in.Name] = last
			return
		}
		if _, seen := before.Namespaces[in.Name]; seen {
			return // it had none
		}
	}
	if !c.world.Install.Sealed {
		return // RBAC alone guards bindings yet
	}
	// Its binding may have gone first, while nobody looked: a tier that does not exist is the strictest.
	c.world.Bindings[in.Name] = tier.Binding{Namespace: in.Name, Name: v1alpha1.BindingName, Tier: "(not known any more)"}
}

// digest is the SHA-256, in hex, of a value's JSON. Specs hold no maps but labels, whose keys JSON
// sorts, so equal specs have equal digests.
func digest(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "" // no spec of ours fails to encode; an empty digest equals that of no proof
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
