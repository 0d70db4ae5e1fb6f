package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

const (
	crdFolder    = "../config/crd"
	sampleFolder = "../config/samples"
)

// crdResources are the resources of Fairway's kinds.
var crdResources = map[string]string{
	"EnvironmentTier": "environmenttiers", "TierBinding": "tierbindings", "Team": "teams", "Repository": "repositories",
	"ProvenCommit": "provencommits", "Delivery": "deliveries", "BreakGlass": "breakglasses",
}

// installCRDs applies Fairway's CRDs and returns when the API server serves them. It may be called by
// any number of tests.
func installCRDs(t testing.TB, c *controlplane.Cluster) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	crds := client.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	for _, crd := range manifests(t, crdFolder) {
		if _, err := crds.Apply(t.Context(), crd.GetName(), &crd, metav1.ApplyOptions{FieldManager: "e2e", Force: true}); err != nil {
			t.Fatalf("applying CRD %s: %v", crd.GetName(), err)
		}
	}
	for kind, resource := range crdResources {
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			if !established(ctx, crds, resource+".fairway.dev") {
				return false, nil
			}
			_, err := client.Resource(fairwayResource(kind)).List(ctx, metav1.ListOptions{Limit: 1})
			return err == nil, nil
		})
		if err != nil {
			t.Fatalf("%s is not served: %v", kind, err)
		}
	}
	return client
}

func established(ctx context.Context, crds dynamic.ResourceInterface, name string) bool {
	object, err := crds.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &crd); err != nil {
		return false
	}
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
}

func fairwayResource(kind string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "fairway.dev", Version: "v1alpha1", Resource: crdResources[kind]}
}

// manifests reads all YAML documents of a folder, in the order of the files' names.
func manifests(t testing.TB, folder string) []unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s (%v)", folder, err)
	}
	var all []unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, documents(t, content)...)
	}
	return all
}

func documents(t testing.TB, content []byte) []unstructured.Unstructured {
	t.Helper()
	var all []unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var object unstructured.Unstructured
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
}

// bases are valid objects, one of each kind; the cases below break them in one place each.
const bases = `
apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: base}
spec:
  lane: Gated
  approvals: [{name: owner, from: Owners}]
  trace: {trailers: [{key: Ticket, pattern: "[A-Z]+-[0-9]+"}]}
  rollback: {mode: Allow, window: 720h, approvals: 1}
  breakGlass: {maxDuration: 1h, reviewWithin: 72h}
  controllers: [{name: keeper, users: [keeper], groups: [""], kinds: [Secret], why: it keeps}]
---
apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier}
spec:
  tier: production
  sources:
    - {name: shop, repository: fleet, branch: main, path: apps/shop, render: Plain, via: {flux: {kustomization: flux-system/shop}}}
    - {name: root, repository: fleet, branch: main, path: ".", render: Kustomize, via: {argoCD: {application: argocd/root}}}
---
apiVersion: fairway.dev/v1alpha1
kind: Team
metadata: {name: base}
spec:
  principals:
    - name: ada
      emails: [ada@example.com]
      keys:
        - {format: SSH, publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr", notBefore: "2026-01-01T00:00:00Z", notAfter: "2027-01-01T00:00:00Z"}
---
apiVersion: fairway.dev/v1alpha1
kind: Repository
metadata: {name: base}
spec:
  url: https://git.example.com/acme/fleet.git
  aliases: [git@git.example.com:acme/fleet.git]
  branches: [main, release/1.4]
  baseline: 6a6e04de0389fe081146be8f3719cc81efd2f461
---
apiVersion: fairway.dev/v1alpha1
kind: ProvenCommit
metadata: {name: base}
spec:
  source: {name: shop, repository: fleet, branch: main, path: apps/shop, sourceDigest: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}
  clusterID: 7a1d3a2e-2f0e-4d9b-9d55-6f1f0c3f7a10
  namespaceUID: 0b9c1a7e-58b1-4d0e-8a56-1e6f2f1a9c77
  commit: 6a6e04de0389fe081146be8f3719cc81efd2f461
  tree: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
  height: 7
  objects: [{version: v1, kind: ConfigMap, namespace: shop, name: settings, digest: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}]
  shard: {index: 0, count: 1}
  prover: v0.1.0
  provenAt: "2026-11-23T16:00:00Z"
  signature:
    keyID: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
    value: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==
---
apiVersion: fairway.dev/v1alpha1
kind: Delivery
metadata: {name: base}
spec: {repository: fleet, branch: main, path: apps/shop}
---
apiVersion: fairway.dev/v1alpha1
kind: BreakGlass
metadata: {name: base}
spec:
  reason: the shop's database is full and the fix is not reviewed yet
  ticket: OPS-7
  user: grace@example.com
  notBefore: "2026-11-23T16:00:00Z"
  notAfter: "2026-11-23T17:00:00Z"
  nonce: 3q2-7wAAAAAAAAAAAAAAAA
  namespaceUID: 0b9c1a7e-58b1-4d0e-8a56-1e6f2f1a9c77
  request: "{}"
`

// base is the valid object of a kind, with one place of its text replaced.
func base(t testing.TB, kind, namespace, before, after string) *unstructured.Unstructured {
	t.Helper()
	for text := range strings.SplitSeq(bases, "\n---\n") {
		if !strings.Contains(text, "\nkind: "+kind+"\n") {
			continue
		}
		if strings.Count(text, before) != 1 && before != "" {
			t.Fatalf("%q stands %d times in the base of %s, want once", before, strings.Count(text, before), kind)
		}
		if before != "" {
			text = strings.Replace(text, before, after, 1)
		}
		object := documents(t, []byte(text))[0]
		if !clusterScoped[kind] {
			object.SetNamespace(namespace)
		}
		return &object
	}
	t.Fatalf("no base for %s", kind)
	return nil
}

var clusterScoped = map[string]bool{"EnvironmentTier": true, "Team": true, "Repository": true}

// resource is the client for a kind, in the namespace where the kind has one.
func resource(client dynamic.Interface, kind, namespace string) dynamic.ResourceInterface {
	if clusterScoped[kind] {
		return client.Resource(fairwayResource(kind))
	}
	return client.Resource(fairwayResource(kind)).Namespace(namespace)
}

var (
	dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	strict = metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
)

func TestSchemaAdmits(t *testing.T) {
	c := cluster(t)
	client, namespace := installCRDs(t, c), c.Namespace(t, nil)
	for _, test := range []struct{ kind, before, after string }{
		{"EnvironmentTier", "", ""},
		{"EnvironmentTier", "lane: Gated\n  approvals: [{name: owner, from: Owners}]\n  trace: {trailers: [{key: Ticket, pattern: \"[A-Z]+-[0-9]+\"}]}", "lane: Open"},
		{"EnvironmentTier", "from: Owners", "from: Teams, teams: [shop]"},
		{"EnvironmentTier", "kinds: [Secret]", "kinds: ['*'], ownerKinds: [Certificate], operations: [CREATE, DELETE]"},
		{"TierBinding", "", ""},
		{"TierBinding", "{name: tier}\nspec:", "{name: cluster}\nspec:\n  install: {defaultTier: sandbox}"},
		{"TierBinding", "flux-system/shop", "flux-system/shop, file: clusters/shop.yaml, substituteFrom: [clusters/values.yaml, other.yaml]"},
		{"TierBinding", "apps/shop", "apps/..shop/.config/a b/ü"},
		{"Team", "", ""},
		{"Team", "format: SSH, publicKey: \"ssh-ed25519", "format: OpenPGP, publicKey: \"-----BEGIN PGP PUBLIC KEY BLOCK-----\\n"},
		{"Team", "emails: [ada@example.com]", "accounts: [{forge: Gitea, host: \"git.example.com:3000\", id: 7, login: ada}, {forge: GitHub, host: github.com, id: 7}]"},
		{"Team", "notAfter: \"2027-01-01T00:00:00Z\"", "revokedAt: \"2027-01-01T00:00:00Z\", revocation: Compromised"},
		{"Team", "spec:", "spec:\n  sigstoreRoots: [{name: public, trustedRoot: '{}'}]"},
		{"Team", "format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"", "format: Sigstore, sigstoreRoot: public, identity: ada@example.com, issuer: \"https://accounts.example.com\""},
		{"Team", "format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"", "format: Sigstore, sigstoreRoot: ci, identity: \"https://ci.example.com/shop@main\", issuer: \"https://token.ci.example.com\""},
		{"Repository", "", ""},
		{"Repository", "branches:", "approvalSources: [Forge, Attestation]\n  forge: {kind: Gitea, url: \"https://git.example.com\", project: acme/fleet, credentialsSecret: {name: forge}, webhookSecret: {name: hook}}\n  branches:"},
		{"Repository", "branches:", "forge: {kind: Gitea, url: \"http://[::1]:3000/git\", project: acme/fleet, privateAddresses: Allow}\n  branches:"},
		{"Repository", "branches:", "forge: {kind: GitLab, url: \"https://git.example.com\", project: acme/platform/fleet}\n  branches:"},
		{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:"},
		{"Repository", "https://git.example.com/acme/fleet.git", "ssh://git@git.example.com:2222/acme/fleet.git"},
		{"Repository", "https://git.example.com/acme/fleet.git", "\"ssh://git@[::1]:2222/acme/fleet.git\""},
		{"Repository", "https://git.example.com/acme/fleet.git", "deploy@git.example.com:acme/fleet.git"},
		{"Repository", "https://git.example.com/acme/fleet.git", "file:///srv/git/fleet.git"},
		{"ProvenCommit", "", ""},
		{"Delivery", "", ""},
		{"BreakGlass", "", ""},
	} {
		t.Run(test.kind+" "+test.after, func(t *testing.T) {
			object := base(t, test.kind, namespace, test.before, test.after)
			if _, err := resource(client, test.kind, namespace).Create(t.Context(), object, dryRun); err != nil {
				t.Error(err)
			}
		})
	}
}

// refusals are changes of one place of a base that the schema must refuse, each with a part of the
// message that people get. Every rule of every CRD stands here: TestSchemaRefuses counts them.
var refusals = []struct{ kind, before, after, want string }{
	{"EnvironmentTier", "lane: Gated", "lane: Open", "remove them, or set lane: Gated"},
	{"EnvironmentTier", "from: Owners", "from: Teams", "teams must be listed when from is Teams, and only then"},
	{"EnvironmentTier", "from: Owners", "from: Owners, teams: [shop]", "teams must be listed when from is Teams, and only then"},
	{"EnvironmentTier", "from: Owners", "from: Owners, minimum: 0", "greater than or equal to 1"},
	{"EnvironmentTier", "[A-Z]+-[0-9]+", "[A-Z", "the pattern is no RE2 expression"},
	{"EnvironmentTier", "window: 720h", "window: 30 days", "for example 720h for 30 days"},
	{"EnvironmentTier", "window: 720h", "window: 999999h", "for example 720h for 30 days"},
	{"EnvironmentTier", "window: 720h, approvals: 1", "window: 720h", "approvals: Required value"},
	{"EnvironmentTier", "maxDuration: 1h", "maxDuration: 0s", "for example 1h, and at most 168h"},
	{"EnvironmentTier", "maxDuration: 1h", "maxDuration: 169h", "for example 1h, and at most 168h"},
	{"EnvironmentTier", "maxDuration: 1h", "maxDuration: -1h", "for example 1h, and at most 168h"},
	{"EnvironmentTier", "reviewWithin: 72h", "reviewWithin: soon", "for example 72h, and at most 2160h"},
	{"EnvironmentTier", "lane: Gated", "lane: Gated\n  source: {branches: [refs/heads/main]}", "write the branch's short name"},
	{"EnvironmentTier", "kinds: [Secret]", "kinds: ['*']", "would let this controller write anything"},
	{"EnvironmentTier", "kinds: [Secret]", "kinds: ['*'], fields: [data], operations: [DELETE]", "a controller that may delete must list its kinds"},
	{"TierBinding", "{name: tier}", "{name: prod}", "a TierBinding is named tier"},
	{"TierBinding", "tier: production", "tier: production\n  install: {defaultTier: sandbox}", "only in the TierBinding named cluster"},
	{"TierBinding", `path: "."`, "path: apps/shop", "two sources read the same path"},
	{"TierBinding", "apps/shop", "/apps/shop", "write a clean path relative to the root"},
	{"TierBinding", "apps/shop", "apps/shop/", "write a clean path relative to the root"},
	{"TierBinding", "apps/shop", "apps/../shop", "write a clean path relative to the root"},
	{"TierBinding", "apps/shop", "./apps/shop", "write a clean path relative to the root"},
	{"TierBinding", "apps/shop", "..", "write a clean path relative to the root"},
	{"TierBinding", "apps/shop", `'apps\shop'`, "without control characters"},
	{"TierBinding", "apps/shop", `"apps\nshop"`, "without control characters"},
	{"TierBinding", "main, path: apps", "-main, path: apps", "write the branch's short name"},
	{"TierBinding", "main, path: apps", "release/*, path: apps", "write the branch's short name"},
	{"TierBinding", "{argoCD:", "{ci: {users: [ci]}, argoCD:", "a source is delivered by one engine"},
	{"TierBinding", "flux-system/shop", "shop", "write the Kustomization as namespace/name"},
	{"TierBinding", "flux-system/shop", "flux-system/shop, file: /clusters/shop.yaml", "for example clusters/prod/shop.yaml"},
	{"TierBinding", "flux-system/shop", "flux-system/shop, file: 'clusters\\shop.yaml'", "without control characters"},
	{"TierBinding", "flux-system/shop", "flux-system/shop, substituteFrom: [clusters/values.yaml]", "name the Kustomization's own manifest in file"},
	{"TierBinding", "flux-system/shop", "flux-system/shop, file: clusters/shop.yaml, substituteFrom: [../values.yaml]", "for example clusters/prod/values.yaml"},
	{"TierBinding", "render: Kustomize", "render: Helm", "helm names the release of a chart"},
	{"TierBinding", "render: Kustomize", "render: Kustomize, helm: {release: shop}", "helm names the release of a chart"},
	{"TierBinding", "render: Kustomize", "render: Helm, helm: {release: Shop}", "write the name of the release as helm takes it"},
	{"TierBinding", "render: Kustomize", "render: Helm, helm: {release: shop, valuesFiles: [../values.yaml]}", "write a clean path from the root of the repository"},
	{"TierBinding", "argoCD: {application: argocd/root}", "helmRelease: {name: shop, users: [helm]}", "write the HelmRelease as namespace/name"},
	{"TierBinding", "argoCD: {application: argocd/root}", "helmRelease: {name: shop/shop, users: [helm], valuesFrom: [values.yaml]}", "name the HelmRelease's own manifest in file"},
	{"TierBinding", "argoCD: {application: argocd/root}", "helmRelease: {name: shop/shop, users: [helm], file: shop.yaml, valuesFrom: [../values.yaml]}", "write a clean path from the root of the repository"},
	{"TierBinding", "argoCD: {application: argocd/root}", "ci: {}", "say who delivers: users, claims of their tokens, or both"},
	{"TierBinding", "argocd/root", "argocd/root, tracking: Label, installationID: one", "an installation id is an annotation"},
	{"TierBinding", "argocd/root", "root", "write the Application as namespace/name"},
	{"TierBinding", "tier: production", "tier: production\n  controllers: [{name: any, users: [a], groups: ['*'], kinds: ['*'], why: never}]", "would let this controller write anything"},
	{"TierBinding", "tier: production", "tier: production\n  controllers: [{name: any, users: [a], groups: ['*'], kinds: ['*'], fields: [data], operations: [DELETE], why: never}]", "a controller that may delete must list its kinds"},
	{"Team", "ada@example.com]", "Ada <ada@example.com>]", "write one bare address"},
	{"Team", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----\\nAAAA", "Write the public key, and replace the pair"},
	{"Team", "ssh-ed25519 AAAA", "AAAA", "write one line as in the .pub file"},
	{"Team", "hr\"", "hr\\nssh-ed25519 AAAA\"", "write one line as in the .pub file"},
	{"Team", "format: SSH", "format: OpenPGP", "write one armoured public key"},
	{"Team", "format: SSH", "format: X509, identity: ada@example.com", "write one certificate in PEM"},
	{"Team", "format: SSH", "format: X509", "identity goes with the formats X509 and Sigstore, and is needed there"},
	{"Team", "format: SSH", "format: SSH, identity: ada@example.com", "identity goes with the formats X509 and Sigstore, and is needed there"},
	{"Team", "format: SSH", "format: SSH, revokedSerials: [\"04\"]", "revokedSerials goes with format X509"},
	{"Team", "2026-01-01", "2027-01-02", "notBefore must be earlier than notAfter"},
	{"Repository", "https://git", "http://git", "unencrypted and other transports are not used"},
	{"Repository", "https://git", "\"ext::sh -c x\" #", "unencrypted and other transports are not used"},
	{"Repository", "https://git", "-oProxyCommand=x@git.example.com:a #", "unencrypted and other transports are not used"},
	{"Repository", "https://git", "ssh://git:secret@git", "and no password"},
	{"Repository", "acme/fleet.git\n  aliases", "\n  aliases", "and a path, and no password"},
	{"Repository", "https://git", "https://token@git", "write the https address without a user name or token"},
	{"Repository", "acme/fleet.git\n  aliases", "acme/fleet.git?x=y\n  aliases", "without spaces, control characters"},
	{"Repository", "git@git", "HTTPS://ada:secret@git", "write the alias without a user name"},
	{"Repository", "release/1.4", "release..1.4", "write the branch's short name"},
	{"Repository", "6a6e04de0389", "6A6E04DE0389", "write the full commit id in lower case"},
	{"Repository", "6a6e04de0389fe081146be8f3719cc81efd2f461", "6a6e04de", "write the full commit id in lower case"},
	{"Team", "emails: [ada@example.com]", "accounts: [{forge: GitHub, host: github.com, id: 0}]", "greater than or equal to 1"},
	{"Team", "emails: [ada@example.com]", "accounts: [{forge: GitHub, host: \"https://github.com\", id: 7}]", "write the host alone and in lower case"},
	{"Team", "notAfter: \"2027-01-01T00:00:00Z\"", "revocation: Compromised", "revocation needs revokedAt"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, publicKey: \"-----BEGIN OPENSSH PRIVATE KEY-----AAAA\"}]}\n  branches:", "Write the public key, and replace the pair"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, publicKey: \"AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8\"}]}\n  branches:", "write one line as in the .pub file"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: OpenPGP, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:", "write one armoured public key"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\", notBefore: \"2027-01-01T00:00:00Z\", notAfter: \"2026-01-01T00:00:00Z\"}]}\n  branches:", "notBefore must be earlier than notAfter"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\", revocation: Retired}]}\n  branches:", "revocation needs revokedAt"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: X509, identity: ada@example.com, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:", "write one certificate in PEM"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: X509, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:", "identity goes with the formats X509 and Sigstore, and is needed there"},
	{"Team", "format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"", "format: SSH", "publicKey is needed"},
	{"Team", "format: SSH, publicKey", "format: Sigstore, sigstoreRoot: public, identity: ada@example.com, issuer: \"https://accounts.example.com\", publicKey", "publicKey is needed, but for the format Sigstore"},
	{"Team", "format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"", "format: Sigstore, sigstoreRoot: public, identity: ada@example.com", "issuer and sigstoreRoot go with format Sigstore"},
	{"Team", "format: SSH, publicKey", "issuer: \"https://accounts.example.com\", format: SSH, publicKey", "issuer and sigstoreRoot go with format Sigstore"},
	{"Team", "format: SSH, publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"", "format: X509, identity: ada.example.com, publicKey: \"-----BEGIN CERTIFICATE-----AAAAAAAAAAAAAAAA\"", "the identity is an address"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: Sigstore, sigstoreRoot: public, identity: ada@example.com, issuer: \"https://accounts.example.com\"}]}\n  branches:", "a forge signs with a key"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH}]}\n  branches:", "publicKey is needed"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: X509, identity: ada.example.com, publicKey: \"-----BEGIN CERTIFICATE-----AAAAAAAAAAAAAAAA\"}]}\n  branches:", "the identity is an address"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, issuer: \"https://x.example.com\", publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:", "issuer and sigstoreRoot go with format Sigstore"},
	{"Repository", "branches:", "forgeSigner: {keys: [{format: SSH, revokedSerials: [\"04\"], publicKey: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr\"}]}\n  branches:", "revokedSerials goes with format X509"},
	{"Repository", "branches:", "approvalSources: [Forge]\n  branches:", "say under forge where the reviews are"},
	{"Repository", "branches:", "forge: {kind: Gitea, url: \"http://git.example.com\", project: acme/fleet}\n  branches:", "then write privateAddresses: Allow"},
	{"Repository", "branches:", "forge: {kind: Gitea, url: \"https://ada:secret@git.example.com\", project: acme/fleet}\n  branches:", "without user name, query or fragment"},
	{"Repository", "branches:", "forge: {kind: Gitea, url: \"https://git.example.com?x=y\", project: acme/fleet}\n  branches:", "without user name, query or fragment"},
	{"Repository", "branches:", "forge: {kind: GitHub, url: \"https://api.github.com\", project: acme/platform/fleet}\n  branches:", "write the project as owner/name"},
	{"Repository", "branches:", "forge: {kind: GitLab, url: \"https://git.example.com\", project: acme/../fleet}\n  branches:", "write the project as owner/name"},
	{"Repository", "branches:", "pollInterval: 1s\n  branches:", "from 10s to 24h"},
	{"ProvenCommit", "index: 0", "index: 1", "shard.index counts from 0"},
	{"ProvenCommit", "height: 7", "height: 0", "greater than or equal to 1"},
	{"BreakGlass", "T16:00:00Z", "T17:00:00Z", "notBefore must be earlier than notAfter"},
	{"BreakGlass", "2026-11-23T17:00:00Z", "2026-11-30T16:00:01Z", "open for 168h at most"},
}

func TestSchemaRefuses(t *testing.T) {
	c := cluster(t)
	client, namespace := installCRDs(t, c), c.Namespace(t, nil)
	told := map[string]string{} // all that the API server said, by kind
	for _, test := range refusals {
		t.Run(test.kind+" "+test.after, func(t *testing.T) {
			object := base(t, test.kind, namespace, test.before, test.after)
			_, err := resource(client, test.kind, namespace).Create(t.Context(), object, dryRun)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an invalid object and %q", err, test.want)
			}
			if err != nil {
				told[test.kind] += err.Error()
			}
		})
	}
	for _, rule := range transitions(t, client, namespace) {
		told[rule.kind] += rule.told
	}
	for kind, rules := range schemaRules(t) {
		for _, message := range rules {
			if !strings.Contains(told[kind], message) {
				t.Errorf("no case makes the API server refuse a %s with %q", kind, message)
			}
		}
	}
}

type transition struct{ kind, told string }

// transitions creates one object of each kind that may not change, tries to change it, and returns what
// the API server said.
func transitions(t *testing.T, client dynamic.Interface, namespace string) []transition {
	t.Helper()
	var all []transition
	for _, test := range []struct{ kind, field, value, want string }{
		{"ProvenCommit", "subject", "another", "the spec of a ProvenCommit never changes"},
		{"ProvenCommit", "commit", strings.Repeat("0", 40), "the spec of a ProvenCommit never changes"},
		{"Delivery", "path", "apps/other", "the spec of a Delivery is its key and never changes"},
		{"BreakGlass", "notAfter", "2026-11-24T16:00:00Z", "only approvals may be added to a BreakGlass"},
		{"BreakGlass", "user", "mallory", "only approvals may be added to a BreakGlass"},
	} {
		object := base(t, test.kind, namespace, "", "")
		client := resource(client, test.kind, namespace)
		object, err := client.Create(t.Context(), object, strict)
		if apierrors.IsAlreadyExists(err) {
			object, err = client.Get(t.Context(), base(t, test.kind, namespace, "", "").GetName(), metav1.GetOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedField(object.Object, test.value, "spec", test.field); err != nil {
			t.Fatal(err)
		}
		_, err = client.Update(t.Context(), object, metav1.UpdateOptions{})
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, another %s: got %v, want an invalid object and %q", test.kind, test.field, err, test.want)
			continue
		}
		all = append(all, transition{test.kind, err.Error()})
	}
	return all
}
