package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/story"
)

const clusterWorld = `apiVersion: v1
kind: Namespace
metadata: {name: fairway-system, uid: 33333333-3333-4333-8333-333333333333}
---
apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [platform]
  sources:
  - {name: fleet, repository: apps, branch: main, path: clusters/main, render: Plain, fieldManager: deployer}
`

// sealedLab is a lab whose install is sealed: what it is judged by comes from clusters/main, and changes there.
func sealedLab(t *testing.T) *lab {
	t.Helper()
	shop, err := story.NewShop(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	crds, err := filepath.Glob("../../config/crd/*.yaml")
	if err != nil || len(crds) == 0 {
		t.Fatal(err)
	}
	var kinds []*apiextensionsv1.CustomResourceDefinition
	for _, path := range crds {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, crd)
		if err := os.WriteFile(shop.World(filepath.Base(path)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(shop.World("cluster.yaml"), []byte(clusterWorld), 0o600); err != nil {
		t.Fatal(err)
	}
	l := labOf(t, shop)
	if err := l.server.Define(kinds...); err != nil {
		t.Fatal(err)
	}
	return l
}

// configuration are the objects that decide, as the world has them, by kind and name.
func (l *lab) configuration() map[string]string {
	l.t.Helper()
	objects := map[string]string{}
	for _, file := range []string{"tiers.yaml", "teams.yaml", "repository.yaml", "bindings.yaml"} {
		raw, err := os.ReadFile(l.shop.World(file))
		if err != nil {
			l.t.Fatal(err)
		}
		for text := range strings.SplitSeq(string(raw), "---\n") {
			var kind, name, namespace string
			for line := range strings.Lines(text) {
				if after, ok := strings.CutPrefix(line, "kind: "); ok {
					kind = strings.TrimSpace(after)
				}
				if after, ok := strings.CutPrefix(line, "metadata: {name: "); ok {
					name, _, _ = strings.Cut(strings.TrimRight(after, "}\n"), ",")
					_, namespace, _ = strings.Cut(after, "namespace: ")
				}
			}
			key := kind + " " + name
			if namespace != "" {
				key += " in " + strings.TrimRight(namespace, "}\n")
			}
			objects[key] = text
		}
	}
	return objects
}

// fleet is a delivery of what decides.
func (l *lab) fleet(manifest, commit string) story.Write {
	l.t.Helper()
	w := l.apply(manifest, commit)
	w.Object = strings.Replace(w.Object, "fairway.dev/source: shop", "fairway.dev/source: fleet", 1)
	return w
}

// TestT16LoweringNeedsBothSides: whatever of a tier, a binding, a team or a repository is lowered, it needs the
// platform's approval, whose it is, and that of another team than its author's: neither the platform's alone nor an
// application team's alone lets it through, nor a hand with every right, and both do. Bringing it back needs as much.
func TestT16LoweringNeedsBothSides(t *testing.T) {
	l := sealedLab(t)
	config := l.configuration()
	files := map[string]string{}
	path := func(object string) string {
		return "clusters/main/" + strings.ToLower(strings.ReplaceAll(object, " ", "-")) + ".yaml"
	}
	for object, text := range config {
		files[path(object)] = text
	}
	first := l.land("pete", files, "paula", "sam")
	l.look()
	for _, text := range config {
		l.admits("proven", l.fleet(text, first))
	}
	mallory, err := story.NewPerson("mallory", "shop")
	if err != nil {
		t.Fatal(err)
	}
	const production, shop = "EnvironmentTier production", "TierBinding tier in shop"
	for _, tt := range []struct{ name, object, old, lowered string }{
		{"it only audits", production, "lane: Gated", "lane: Gated\n  enforcement: Audit"},
		{"it only warns", production, "lane: Gated", "lane: Gated\n  enforcement: Warn"},
		{"it is open", production, "lane: Gated", "lane: Open"},
		{"it gives its namespaces away", production, "rank: 100", "rank: 0"},
		{"from any source", production, "declared: Required", "declared: Optional"},
		{"without signatures", production, "require: EveryCommit", "require: None"},
		{"without approvals", production, "  approvals:\n  - {name: owners, minimum: 1, from: Owners, level: Signed}\n", ""},
		{"without the other side", production, "reciprocal: Required", "reciprocal: NotRequired"},
		{"without a ticket", production, "'[A-Z]+-[0-9]+'", "'.*'"},
		{"with a field that nobody approves", production, "  connect: Deny", "  content:\n    tolerate:\n    - {group: apps, kind: Deployment, path: spec.template.spec.containers, why: mallory wants it}\n  connect: Deny"},
		{"with a lane of one's own", production, "  connect: Deny", "  controllers:\n  - {name: slip, users: [mallory], operations: [CREATE, UPDATE], groups: [\"\"], kinds: [ConfigMap], why: mallory wants it}\n  connect: Deny"},
		{"with a longer emergency", production, "maxDuration: 1h", "maxDuration: 168h"},
		{"with an emergency of one more", production, "window: 720h, approvals: 1", "window: 720h, approvals: 0"},
		{"with a way into Pods", production, "connect: Deny", "connect: Allow"},
		{"with any scale", production, "scale: Deny", "scale: Allow"},
		{"another tier takes its namespaces", "EnvironmentTier sandbox", "rank: 0, lane: Open", "rank: 200, lane: Open, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}"},
		{"a namespace leaves", shop, "tier: production", "tier: sandbox"},
		{"it has other owners", shop, "owners: [shop]", "owners: [shop, platform]"},
		{"it has one more source", shop, "  sources:\n", "  sources:\n  - {name: mine, repository: apps, branch: main, path: mallory, render: Plain, fieldManager: deployer}\n"},
		{"an approver of one's own", "Team platform", "  principals:\n", fmt.Sprintf("  principals:\n  - name: mallory\n    emails: [%s]\n    users: [mallory]\n    keys:\n    - {format: SSH, publicKey: %q}\n", mallory.Email, mallory.PublicKey())},
		{"an approver is another", "Team shop", l.shop.People["sam"].PublicKey(), mallory.PublicKey()},
		{"approvals from elsewhere", "Repository apps", "[Attestation]", "[Forge]"},
		{"another branch", "Repository apps", "branches: [main]", "branches: [main, mallory]"},
		{"another repository", "Repository apps", "url: " + l.shop.Repo.URL(), "url: https://git.example.com/mallory/apps.git"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			here := *l
			here.t = t
			before, ok := config[tt.object]
			lowered := strings.Replace(before, tt.old, tt.lowered, 1)
			if !ok || lowered == before {
				t.Fatalf("nothing of %q is lowered", tt.object)
			}
			here.both(path(tt.object), before, lowered, "paula", "sam")
			here.both(path(tt.object), lowered, before, "sam", "paula")
		})
	}
}

// both lands pete's change of an object, and has it approved by one side and then by the other.
func (l *lab) both(path, before, after, one, other string) {
	l.t.Helper()
	l.refuses(http.StatusForbidden, story.Write{Object: after, User: "admin", Groups: []string{"system:masters"}, Manager: "kubectl-edit"})
	merge, head, err := l.shop.Land(l.t.Context(), "pete", message, map[string]string{path: after})
	if err != nil {
		l.t.Fatal(err)
	}
	l.approve(one, head)
	l.look()
	l.refuses(http.StatusForbidden, l.fleet(after, merge), map[string]string{"paula": "another team", "sam": `needs 1 approval "owners"`}[one])
	l.approve(other, head)
	l.look()
	l.admits("proven", l.fleet(after, merge))
	l.refuses(http.StatusForbidden, l.fleet(before, merge)) // what it was is not what Git says now
}
