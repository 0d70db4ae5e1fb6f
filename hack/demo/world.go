package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairway-dev/fairway/e2e/story"
)

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
	banner = `apiVersion: v1
kind: ConfigMap
metadata: {name: banner, namespace: shop}
data: {text: "winter sale"}
`
	// hostNetwork is what somebody slips in.
	hostNetwork = "\n      hostNetwork: true"
)

func web(replicas int, slipped, tag string) string {
	return fmt.Sprintf(deployment, replicas, slipped, tag)
}

// The paths of the manifests in the repository.
const (
	webPath    = "shop/production/web.yaml"
	bannerPath = "shop/production/banner.yaml"
)

// makeRepository makes the repository with its first commit, and the world that serves it.
func (s *stage) makeRepository(ctx context.Context) error {
	repo, err := story.NewRepo(ctx, filepath.Join(s.dir, "apps.git"))
	if err != nil {
		return err
	}
	s.repo = repo
	first, err := s.commit(ctx, "paula", true, nil, "Start the shop\n\nTicket: SHOP-1", map[string]string{
		webPath: web(2, "", "1.0"), bannerPath: banner, "README.md": "The shop.\n",
	})
	if err != nil {
		return err
	}
	if err := repo.SetBranch(ctx, "main", first); err != nil {
		return err
	}
	if err := repo.Clone(ctx, s.clone()); err != nil {
		return err
	}
	return s.writeWorld(first)
}

func (s *stage) clone() string { return filepath.Join(s.dir, "clone") }

func (s *stage) world(name string) string { return filepath.Join(s.dir, "world", name) }

// commit writes a commit by somebody.
func (s *stage) commit(ctx context.Context, author string, signed bool, parents []string, message string, files map[string]string) (string, error) {
	c := story.Commit{Author: s.people[author], Parents: parents, Message: message, Files: files}
	if signed {
		c.Signer = c.Author
	}
	return s.repo.Commit(ctx, c)
}

// writeWorld writes the tiers, teams, repository and bindings: the sandbox is open, production
// admits what was signed, reviewed by an owner, and seen by another team.
func (s *stage) writeWorld(baseline string) error {
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
  content: {binding: Strict}
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
`, s.repo.URL(), baseline),
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
	if err := os.MkdirAll(filepath.Join(s.dir, "world"), 0o700); err != nil {
		return fmt.Errorf("making the world: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(s.world(name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("making the world: %w", err)
		}
	}
	return nil
}

// shopUID is the UID of the namespace shop.
const shopUID = "22222222-2222-4222-8222-222222222222"

func (s *stage) team(name string, members ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: fairway.dev/v1alpha1\nkind: Team\nmetadata: {name: %s}\nspec:\n  principals:\n", name)
	for _, m := range members {
		p := s.people[m]
		fmt.Fprintf(&b, "  - name: %s\n    emails: [%s]\n    users: [%s]\n    keys:\n    - {format: SSH, publicKey: %q}\n", p.Name, p.Email, p.Name, p.PublicKey())
	}
	return b.String()
}
