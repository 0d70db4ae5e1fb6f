package render

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairway-dev/fairway/internal/tier"
)

// trap notices everything that kustomize does to leave the process: HTTP through the default
// transport, which is the one it uses, and programs, of which PATH holds traps only.
type trap struct {
	http atomic.Int64
	ran  string // a file that each program of the trap appends its name to
}

func (tr *trap) RoundTrip(*http.Request) (*http.Response, error) {
	tr.http.Add(1)
	return nil, errors.New("no network here")
}

func setTrap(t *testing.T) *trap {
	t.Helper()
	dir := t.TempDir()
	tr := &trap{ran: filepath.Join(dir, "ran")}
	for _, program := range []string{"git", "helm", "docker", "sh", "ssh", "go", "sops", "evil"} {
		script := "#!/bin/sh\necho " + program + ` "$@" >> ` + tr.ran + "\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("KUSTOMIZE_PLUGIN_HOME", dir)
	before := http.DefaultTransport
	http.DefaultTransport = tr
	t.Cleanup(func() { http.DefaultTransport = before })
	return tr
}

// programs are the programs that were started.
func (tr *trap) programs(t *testing.T) string {
	t.Helper()
	ran, err := os.ReadFile(tr.ran)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(ran)
}

// TestTrapCatches: what TestT34 finds nothing with finds something where kustomize is not guarded.
func TestTrapCatches(t *testing.T) {
	for resource, caught := range map[string]func(*trap) bool{
		"https://evil.example/a.yaml":    func(tr *trap) bool { return tr.http.Load() > 0 },
		"github.com/evil/x":              func(tr *trap) bool { return strings.Contains(tr.programs(t), "git ") },
		"git@evil.example:x/y":           func(tr *trap) bool { return strings.Contains(tr.programs(t), "git ") },
		"https://evil.example/x/y?ref=z": func(tr *trap) bool { return strings.Contains(tr.programs(t), "git ") },
	} {
		tr := setTrap(t)
		files := filesys.MakeFsInMemory()
		if err := files.WriteFile("/kustomization.yaml", []byte("resources: ['"+resource+"']")); err != nil {
			t.Fatal(err)
		}
		if _, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"); err == nil {
			t.Errorf("%s: kustomize built it", resource)
		}
		if !caught(tr) {
			t.Errorf("%s: nothing was caught", resource)
		}
	}
}

// TestT34EvilKustomizations: nothing is fetched, nothing is started, nothing outside the tree is
// read, and the refusal says what is wrong without repeating an address that may hold a password.
func TestT34EvilKustomizations(t *testing.T) {
	const (
		outside = " names something outside the repository; put a copy into it, so that it is reviewed"
		noPath  = " is no path inside the repository"
		plugins = ", which runs plugins or functions"
	)
	evil := []struct {
		name, kustomization string
		reason              Reason
		want                string // after "apps/kustomization.yaml: "
	}{
		// What kustomize fetches.
		{"https file", "resources: ['https://u:hunter2@evil.example/a.yaml']", Remote, "resources[0]" + outside},
		{"http file", "resources: ['http://169.254.169.254/latest/meta-data']", Remote, "resources[0]" + outside},
		{"upper case", "resources: ['HTTPS://evil.example/a.yaml']", Remote, "resources[0]" + outside},
		{"github", "resources: [ok.yaml, github.com/evil/x]", Remote, "resources[1]" + outside},
		{"github in upper case", "resources: ['GitHub.com/evil/x?ref=v1']", Remote, "resources[0]" + outside},
		{"github, deep", "resources: ['github.com/evil/x//deploy?timeout=1']", Remote, "resources[0]" + outside},
		{"scp", "resources: ['git@evil.example:x/y.git']", Remote, "resources[0]" + outside},
		{"a user and a path", "resources: [git@evil.example/x/y]", Remote, "resources[0]" + outside},
		{"a user like a directory", "resources: [base@v1/x/y]", Remote, "resources[0]" + outside},
		{"ssh", "resources: ['ssh://git@evil.example/x']", Remote, "resources[0]" + outside},
		{"file", "resources: ['file:///etc']", Remote, "resources[0]" + outside},
		{"forced git", "resources: ['git::https://evil.example/x']", Remote, "resources[0]" + outside},
		{"azure", "resources: ['https://dev.azure.com/o/p/_git/r']", Remote, "resources[0]" + outside},
		{"an option for git", "resources: ['--upload-pack=evil:x']", Remote, "resources[0]" + outside},
		{"old bases", "bases: ['https://evil.example/x']", Remote, "resources[0]" + outside},
		{"component", "components: [github.com/evil/x]", Remote, "components[0]" + outside},
		{"patch", "patches: [{path: 'https://evil.example/p'}]", Remote, "patches[0]" + outside},
		{"strategic merge patch", "patchesStrategicMerge: ['https://evil.example/p']", Remote, "patchesStrategicMerge[0]" + outside},
		{"JSON patch", "patchesJson6902: [{path: 'https://evil.example/p', target: {kind: A, name: a}}]", Remote, "patchesJson6902[0]" + outside},
		{"replacement", "replacements: [{path: 'https://evil.example/r'}]", Remote, "replacements[0]" + outside},
		{"configuration", "configurations: ['https://evil.example/c']", Remote, "configurations[0]" + outside},
		{"file of a config map", "configMapGenerator: [{name: a, files: ['https://u:hunter2@evil.example/f']}]", Remote, "configMapGenerator[0]" + outside},
		{"file of a config map, with a key", "configMapGenerator: [{name: a, files: ['k=https://evil.example/f']}]", Remote, "configMapGenerator[0]" + outside},
		{"file of a config map, with a query", "configMapGenerator: [{name: a, files: ['https://evil.example/f?k=v']}]", Remote, "configMapGenerator[0]" + outside},
		{"variables of a config map", "configMapGenerator: [{name: a, envs: ['https://evil.example/f']}]", Remote, "configMapGenerator[0]" + outside},
		{"old variables of a secret", "secretGenerator: [{name: a, env: 'https://evil.example/f'}]", Remote, "secretGenerator[0]" + outside},
		// What kustomize reads outside.
		{"above the root", "resources: [../../etc/passwd]", OutsideTree, "resources[0]" + noPath},
		{"above the root and back", "resources: [../../repo/apps/ok.yaml]", OutsideTree, "resources[0]" + noPath},
		{"absolute", "resources: [/etc/passwd]", OutsideTree, "resources[0]" + noPath},
		{"absolute in the tree", "resources: [/apps/ok.yaml]", OutsideTree, "resources[0]" + noPath},
		{"empty", "resources: ['']", OutsideTree, "resources[0]" + noPath},
		{"absolute base", "components: [/etc]", OutsideTree, "components[0]" + noPath},
		{"patch above the root", "patches: [{path: ../../../etc/passwd}]", OutsideTree, "patches[0]" + noPath},
		{"key of a host", "secretGenerator: [{name: a, files: [key=/etc/ssl/private/key.pem]}]", OutsideTree, "secretGenerator[0]" + noPath},
		{"environment", "configMapGenerator: [{name: a, env: ../../../proc/self/environ}]", OutsideTree, "configMapGenerator[0]" + noPath},
		{"replacement above the root", "replacements: [{path: ../../r}]", OutsideTree, "replacements[0]" + noPath},
		{"two equals signs", "configMapGenerator: [{name: a, files: [a=b=/etc/passwd]}]", Malformed, "configMapGenerator[0] names a file with more than one equals sign"},
		// What kustomize starts, or does to its process.
		{"chart", "helmCharts: [{name: x, repo: 'https://evil.example'}]", Unsupported, "uses helmCharts, which runs helm, which fetches charts"},
		{"old chart", "helmChartInflationGenerator: [{chartName: x, helmBin: evil}]", Unsupported, "uses helmCharts, which runs helm, which fetches charts"},
		{"charts elsewhere", "helmGlobals: {chartHome: /etc}", Unsupported, "uses helmCharts, which runs helm, which fetches charts"},
		{"generator", "generators: [ok.yaml]", Unsupported, "uses generators" + plugins},
		{"generator from outside", "generators: ['https://evil.example/g']", Unsupported, "uses generators" + plugins},
		{"exec plugin", "generators:\n- |\n  apiVersion: evil.example/v1\n  kind: Evil\n  metadata: {name: a}", Unsupported, "uses generators" + plugins},
		{"function in a container", "transformers:\n- |\n  apiVersion: v1\n  kind: F\n  metadata: {name: a, annotations: {config.kubernetes.io/function: 'container: {image: evil, network: true}'}}", Unsupported, "uses transformers" + plugins + "; use patches, labels or replacements"},
		{"function as a program", "transformers:\n- |\n  apiVersion: v1\n  kind: F\n  metadata: {name: a, annotations: {config.kubernetes.io/function: 'exec: {path: evil}'}}", Unsupported, "uses transformers" + plugins + "; use patches, labels or replacements"},
		{"built-in transformer that fetches", "transformers:\n- |\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: a}\n  path: https://evil.example/p", Unsupported, "uses transformers" + plugins + "; use patches, labels or replacements"},
		{"validator", "validators: [ok.yaml]", Unsupported, "uses validators" + plugins},
		{"schema", "openapi: {path: ../../etc/passwd}", Unsupported, "uses openapi, which changes how everything else is patched"},
		{"schema in the tree", "openapi: {path: ok.yaml}", Unsupported, "uses openapi, which changes how everything else is patched"},
		{"definitions", "crds: ['https://evil.example/c']", Unsupported, "uses crds, which can make kustomize go on for ever; use configurations"},
		{"version of kustomize", "buildMetadata: [managedByLabel]", Unsupported, "uses buildMetadata, which writes the version of kustomize into every object"},
		// What would be read in two ways.
		{"two documents", "resources: [ok.yaml]\n---\nresources: ['https://evil.example']", Ambiguous, "holds 2 documents, and kustomize reads the first only; make it one"},
		{"resources set twice", "resources: [ok.yaml]\nresources: ['https://evil.example']", Ambiguous, ""},
		{"unknown field", "resource: [ok.yaml]", Malformed, `is no kustomization: unknown field "resource"`},
		{"wrong type", "resources: {hunter2: a}", Malformed, "is no kustomization: cannot unmarshal object into Go struct field Kustomization.resources of type []string"},
		{"wrong type of a secret", "secretGenerator: [{name: a, literals: hunter2}]", Malformed, "is no kustomization: cannot unmarshal string into Go struct field SecretArgs.secretGenerator.GeneratorArgs.KvPairSources.literals of type []string"},
		{"nothing", "", Ambiguous, "holds 0 documents, and kustomize reads the first only; make it one"},
	}
	if len(evil) < 40 {
		t.Errorf("%d cases", len(evil))
	}
	for _, tt := range evil {
		t.Run(tt.name, func(t *testing.T) {
			tr := setTrap(t)
			tree := files("apps/kustomization.yaml", tt.kustomization, "apps/ok.yaml", configMap,
				"apps/github.com/evil/x/kustomization.yaml", "namePrefix: a", "apps/base@v1/x/y/kustomization.yaml", "namePrefix: a",
				"etc/passwd", "root", "proc/self/environ", "A=B", "repo/apps/ok.yaml", configMap)
			got := refusal(t, DefaultLimits(), tree, Source{Kind: tier.Kustomize, Path: "apps", Namespace: "shop"})
			if tt.reason != got.Reason {
				t.Errorf("refused %s: %s, want %s", got.Reason, got, tt.reason)
			}
			if diff := cmp.Diff("apps/kustomization.yaml: "+tt.want, got.Error()); tt.want != "" && diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if strings.Contains(got.Error(), "evil.example") {
				t.Errorf("the refusal repeats an address: %s", got)
			}
			if n := tr.http.Load(); n > 0 {
				t.Errorf("%d requests to the network", n)
			}
			if ran := tr.programs(t); ran != "" {
				t.Errorf("programs were started:\n%s", ran)
			}
		})
	}
}

// TestKustomizeRefuses: what kustomize itself gives up on, told without a word of its messages,
// which repeat patches and secrets.
func TestKustomizeRefuses(t *testing.T) {
	const ok = "resources: [ok.yaml]\n"
	tests := []struct {
		name, kustomization string
		reason              Reason
		want                string
	}{
		{"a file that is not there", "resources: [gone.yaml]", PathMissing, "apps/gone.yaml: is not in the repository, and resources[0] of apps/kustomization.yaml names it"},
		{"a patch that is not there", "patches: [{path: gone.yaml}]", PathMissing, "apps/gone.yaml: is not in the repository, and patches[0] of apps/kustomization.yaml names it"},
		{"a directory for a file", "configMapGenerator: [{name: a, files: [base]}]", NotAFile, "apps/base: is a directory, and configMapGenerator[0] of apps/kustomization.yaml needs a file"},
		{"a directory that is no kustomization", "resources: [empty]", NoKustomization, "apps/empty: holds no kustomization.yaml; add one, or use render: Plain"},
		{"itself", "resources: [.]", Cycle, "apps: is a kustomization that contains itself"},
		{"itself, round about", "resources: [loop]", Cycle, "apps: is a kustomization that contains itself"},
		{"above itself", "resources: [../above]", Unbuildable, "apps: kustomize cannot build it: a base contains the kustomization that uses it"},
		{"a file for a component", "components: [ok.yaml]", Unbuildable, "apps: kustomize cannot build it: run `kustomize build` on it to see why"},
		{"a component for a resource", "resources: [component]", Unbuildable, "apps: kustomize cannot build it: components must be of kind Component, and resources must not be"},
		{"a resource for a component", "components: [base]", Unbuildable, "apps: kustomize cannot build it: components must be of kind Component, and resources must not be"},
		{"twice", "resources: [ok.yaml, base]", Unbuildable, "apps: kustomize cannot build it: two resources have the same kind and name"},
		{"a patch of nothing", ok + "patches: [{patch: '{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"z\"}, \"data\": {\"a\": \"hunter2\"}}'}]", Unbuildable, "apps: kustomize cannot build it: a patch matches no resource"},
		{"a patch of no kind", ok + "patches: [{patch: 'hunter2', target: {kind: ConfigMap}}]", Unbuildable, "apps: kustomize cannot build it: a patch is neither a strategic merge patch nor a JSON patch"},
		{"a JSON patch without a target", ok + "patches: [{patch: '[{op: add, path: /data, value: hunter2}]'}]", Unbuildable, ""},
		{"a replacement of nothing", ok + "replacements: [{source: {kind: Secret, name: z}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]}]", Unbuildable, "apps: kustomize cannot build it: a replacement finds no source, or no field to write to"},
		{"a secret without a key", "secretGenerator: [{name: a, literals: [hunter2]}]", Unbuildable, "apps: kustomize cannot build it: run `kustomize build` on it to see why"},
		{"a wrong variable", "secretGenerator: [{name: a, envs: [env]}]", Unbuildable, "apps: kustomize cannot build it: run `kustomize build` on it to see why"},
		{"a wrong kind", "kind: Deployment\nnamePrefix: a", Unbuildable, "apps: kustomize cannot build it: the kind or apiVersion of a kustomization is wrong"},
		{"empty", "kind: Kustomization", Unbuildable, "apps: kustomize cannot build it: a kustomization is empty"},
		{"a resource without a name", "resources: [nameless.yaml]", Unbuildable, "apps: kustomize cannot build it: a resource has no name"},
		{"a merge with nothing", "configMapGenerator: [{name: z, behavior: merge, literals: [a=hunter2]}]", Unbuildable, "apps: kustomize cannot build it: a generator merges with something that is not there"},
		{"broken", "resources: [", Malformed, "apps/kustomization.yaml:1: is not well-formed YAML: did not find expected node content"},
		{"a broken resource", "resources: [broken.yaml]", Malformed, "apps/broken.yaml:2: is not well-formed YAML: did not find expected ',' or '}'"},
		{"a broken inline patch", ok + "patches: [{patch: '{a: hunter2'}]", Malformed, "apps/kustomization.yaml: patches[0] is not well-formed YAML: did not find expected ',' or '}'"},
		{"a generated name", "resources: [job.yaml]", GeneratedName, ""},
		{"sops", "resources: [sops.yaml]", Encrypted, "apps: holds Secret a encrypted with SOPS, which only its engine can read"},
	}
	tree := files("apps/ok.yaml", configMap, "apps/base/kustomization.yaml", "resources: [a.yaml]", "apps/base/a.yaml", configMap,
		"apps/component/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: a",
		"apps/empty/README", "", "apps/loop/kustomization.yaml", "resources: [..]", "kustomization.yaml", "resources: [apps/ok.yaml]",
		"above/kustomization.yaml", "resources: [..]", "apps/env", "a=hunter2\xff",
		"apps/nameless.yaml", "apiVersion: v1\nkind: Secret\ndata: {a: hunter2}", "apps/broken.yaml", "a: b\nb: c\nc: {a: hunter2",
		"apps/job.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, generateName: a}",
		"apps/sops.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: hunter2}\nsops: {mac: x}")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree["apps/kustomization.yaml"] = files("x", tt.kustomization)["x"]
			got := refusal(t, DefaultLimits(), tree, Source{Kind: tier.Kustomize, Path: "apps", Namespace: "shop"})
			if got.Reason != tt.reason {
				t.Errorf("refused %s: %s, want %s", got.Reason, got, tt.reason)
			}
			if diff := cmp.Diff(tt.want, got.Error()); tt.want != "" && diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKustomizeSeesNothingElse: below the guard there is still nothing but what was vetted.
func TestKustomizeSeesNothingElse(t *testing.T) {
	v := newView(t.Context(), files("a/k", "x", "a/other", "y"), DefaultLimits())
	k := &kustomizeFS{v: v, files: map[string]bool{"a/k": true}, dirs: map[string]int{"a": 1}}
	if data, err := k.ReadFile("/a/k"); err != nil || string(data) != "x" {
		t.Errorf("the vetted file: %q, %v", data, err)
	}
	if dir, base, err := k.CleanedAbs("/a/k"); err != nil || dir != "/a" || base != "k" {
		t.Errorf("the vetted file: %q, %q, %v", dir, base, err)
	}
	if !k.IsDir("/a") || !k.Exists("/a/k") || k.IsDir("/a/k") {
		t.Error("the vetted directory is not there")
	}
	for _, at := range []string{"/a/other", "/etc/passwd", "/", "/a/../../etc/passwd", "a/other", ""} {
		if _, err := k.ReadFile(at); err == nil {
			t.Errorf("read %q", at)
		}
		if k.Exists(at) || k.IsDir(at) {
			t.Errorf("%q exists", at)
		}
		if _, _, err := k.CleanedAbs(at); err == nil {
			t.Errorf("cleaned %q", at)
		}
	}
	if k.err != nil {
		t.Errorf("a question failed the render: %v", k.err)
	}
	for what, try := range map[string]func() error{
		"create": func() error { _, err := k.Create("/a/k"); return err },
		"write":  func() error { return k.WriteFile("/a/k", nil) },
		"mkdir":  func() error { return k.Mkdir("/b") },
		"mkdirs": func() error { return k.MkdirAll("/b/c") },
		"remove": func() error { return k.RemoveAll("/a") },
		"open":   func() error { _, err := k.Open("/a/k"); return err },
		"list":   func() error { _, err := k.ReadDir("/a"); return err },
		"glob":   func() error { _, err := k.Glob("/a/*"); return err },
		"walk":   func() error { return k.Walk("/a", nil) },
	} {
		k.err = nil
		if err := try(); err == nil || k.err == nil {
			t.Errorf("%s: error %v, kept %v", what, err, k.err)
		}
		if _, err := k.ReadFile("/a/k"); err == nil {
			t.Errorf("%s: the render goes on", what)
		}
	}
}
