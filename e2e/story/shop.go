package story

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Shop is a world to tell stories in: a sandbox and a production namespace, a shop team that owns
// them, a platform team beside it, and one repository that holds the manifests of production.
//
// Below its folder: apps.git (the remote), clone (a reviewer's clone), world (Fairway's kinds as
// YAML files) and one private key a person.
type Shop struct {
	Dir    string
	People map[string]*Person
	Repo   *Repo
}

// ShopUID is the UID of the production namespace, "shop".
const ShopUID = "22222222-2222-4222-8222-222222222222"

// The manifests of the shop. What changes from step to step is filled in.
const (
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {app: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:%s
      containers:
      - name: web
        image: registry.example.com/web:%s
`
	// Banner is a ConfigMap of production.
	Banner = `apiVersion: v1
kind: ConfigMap
metadata: {name: banner, namespace: shop}
data: {text: "winter sale"}
`
	// HostNetwork is what somebody slips into Web.
	HostNetwork = "\n      hostNetwork: true"
)

// Web is the Deployment of production.
func Web(replicas int, slipped, tag string) string {
	return fmt.Sprintf(deployment, replicas, slipped, tag)
}

// The paths of the manifests in the repository.
const (
	WebPath    = "shop/production/web.yaml"
	BannerPath = "shop/production/banner.yaml"
)

// NewShop makes the world in a folder. The first commit is the baseline.
func NewShop(ctx context.Context, dir string) (*Shop, error) {
	s := &Shop{Dir: dir, People: map[string]*Person{}}
	for _, p := range [...]struct{ name, team string }{{"sara", "shop"}, {"sam", "shop"}, {"paula", "platform"}, {"pete", "platform"}} {
		person, err := NewPerson(p.name, p.team)
		if err != nil {
			return nil, err
		}
		if err := person.WriteKey(s.Key(p.name)); err != nil {
			return nil, err
		}
		s.People[p.name] = person
	}
	repo, err := NewRepo(ctx, filepath.Join(dir, "apps.git"))
	if err != nil {
		return nil, err
	}
	s.Repo = repo
	first, err := s.commit(ctx, "paula", true, nil, "Start the shop\n\nTicket: SHOP-1", map[string]string{
		WebPath: Web(2, "", "1.0"), BannerPath: Banner, "README.md": "The shop.\n",
	})
	if err != nil {
		return nil, err
	}
	if err := repo.SetBranch(ctx, "main", first); err != nil {
		return nil, err
	}
	if err := repo.Clone(ctx, s.Clone()); err != nil {
		return nil, err
	}
	return s, s.writeWorld(first)
}

// Key is the file of somebody's private key.
func (s *Shop) Key(name string) string { return filepath.Join(s.Dir, name+".key") }

// Clone is the folder of the reviewer's clone.
func (s *Shop) Clone() string { return filepath.Join(s.Dir, "clone") }

// Fetch brings the reviewer's clone up to date, approvals too.
func (s *Shop) Fetch(ctx context.Context) error {
	_, err := run(ctx, s.Clone(), "", nil, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "refs/fairway/*:refs/fairway/*")
	return err
}

// World is a file of Fairway's kinds, or their folder for "".
func (s *Shop) World(name string) string { return filepath.Join(s.Dir, "world", name) }

// Tip is the commit that main points at.
func (s *Shop) Tip(ctx context.Context) (string, error) {
	return s.Repo.git(ctx, nil, "rev-parse", "main")
}

// Branch writes one signed commit on top of main and points a branch at it.
func (s *Shop) Branch(ctx context.Context, branch, author, message string, files map[string]string) (string, error) {
	base, err := s.Tip(ctx)
	if err != nil {
		return "", err
	}
	id, err := s.commit(ctx, author, true, []string{base}, message, files)
	if err != nil {
		return "", err
	}
	return id, s.Repo.SetBranch(ctx, branch, id)
}

// Land merges a change of one signed commit into main, and returns the merge and the change's head.
func (s *Shop) Land(ctx context.Context, author, message string, files map[string]string) (merge, head string, err error) {
	base, err := s.Tip(ctx)
	if err != nil {
		return "", "", err
	}
	if head, err = s.commit(ctx, author, true, []string{base}, message, files); err != nil {
		return "", "", err
	}
	if merge, err = s.Repo.Merge(ctx, s.People[author], base, head, "Merge: "+message); err != nil {
		return "", "", err
	}
	return merge, head, s.Repo.SetBranch(ctx, "main", merge)
}

// Push puts one commit on main without a branch, as somebody with the right to push can.
func (s *Shop) Push(ctx context.Context, author string, signed bool, message string, files map[string]string) (string, error) {
	base, err := s.Tip(ctx)
	if err != nil {
		return "", err
	}
	id, err := s.commit(ctx, author, signed, []string{base}, message, files)
	if err != nil {
		return "", err
	}
	return id, s.Repo.SetBranch(ctx, "main", id)
}

func (s *Shop) commit(ctx context.Context, author string, signed bool, parents []string, message string, files map[string]string) (string, error) {
	c := Commit{Author: s.People[author], Parents: parents, Message: message, Files: files}
	if signed {
		c.Signer = c.Author
	}
	return s.Repo.Commit(ctx, c)
}

// writeWorld writes the tiers, teams, repository and bindings: the sandbox is open, production
// admits what was signed, reviewed by an owner, and seen by another team.
func (s *Shop) writeWorld(baseline string) error {
	files := map[string]string{
		"tiers.yaml": `apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: sandbox}
spec: {rank: 0, lane: Open}
---
apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: production}
spec:
  rank: 100
  lane: Gated
  source: {declared: Required}
  signatures: {require: EveryCommit}
  approvals:
  - {name: owners, minimum: 1, from: Owners, level: Signed}
  reciprocal: Required
  trace:
    trailers:
    - {key: Ticket, pattern: '[A-Z]+-[0-9]+', message: "end the message with a line like Ticket: SHOP-42"}
  rollback: {mode: Allow, window: 720h, approvals: 1}
  breakGlass: {maxDuration: 1h, approvals: 1, reviewWithin: 24h}
  connect: Deny
  scale: Deny
`,
		"teams.yaml": s.team("shop", "sara", "sam") + "---\n" + s.team("platform", "paula", "pete"),
		"repository.yaml": fmt.Sprintf(`apiVersion: fairway.dev/v1alpha1
kind: Repository
metadata: {name: apps}
spec:
  url: %s
  branches: [main]
  baseline: %s
  approvalSources: [Attestation]
`, s.Repo.URL(), baseline),
		"namespaces.yaml": `apiVersion: v1
kind: Namespace
metadata: {name: play, uid: 11111111-1111-4111-8111-111111111111}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, uid: 22222222-2222-4222-8222-222222222222}
`,
		"bindings.yaml": `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: play}
spec: {tier: sandbox, owners: [shop]}
---
apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
  - {name: shop, repository: apps, branch: main, path: shop/production, render: Plain, fieldManager: deployer}
`,
	}
	if err := os.MkdirAll(s.World(""), 0o700); err != nil {
		return fmt.Errorf("making the world: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(s.World(name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("making the world: %w", err)
		}
	}
	return nil
}

func (s *Shop) team(name string, members ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: fairway.dev/v1alpha1\nkind: Team\nmetadata: {name: %s}\nspec:\n  principals:\n", name)
	for _, m := range members {
		p := s.People[m]
		fmt.Fprintf(&b, "  - name: %s\n    emails: [%s]\n    users: [%s]\n    keys:\n    - {format: SSH, publicKey: %q}\n", p.Name, p.Email, p.Name, p.PublicKey())
	}
	return b.String()
}
