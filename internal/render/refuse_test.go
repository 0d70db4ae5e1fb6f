package render

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// secret stands in the inputs of these tests where a value could slip into a message.
const secret = "hunter2"

// refusal renders what must be refused, and checks that the refusal repeats no value.
func refusal(t *testing.T, limits Limits, tree fs.FS, src Source) *Refusal {
	t.Helper()
	result, refusal, err := New(limits, nil).Render(context.Background(), tree, src)
	if err != nil {
		t.Fatalf("error: %v", err)
	}
	if refusal == nil {
		t.Fatalf("rendered:\n%s", describe(t, result))
	}
	if len(result.Objects) > 0 {
		t.Errorf("refused, and yet there are objects: %v", result.Objects)
	}
	for _, p := range append(append(result.Closure.Files, result.Closure.Missing...), refusal.Error()) {
		if strings.Contains(p, secret) {
			t.Errorf("a value slipped out: %s", p)
		}
	}
	return refusal
}

func files(pairs ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		tree[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return tree
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

func TestPlainRefuses(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		reason Reason
		want   string // without the file name
	}{
		{"no object", "a: 1", Malformed, ":1: holds a document without a valid apiVersion and kind"},
		{"a list", "- " + secret, Malformed, ":1: holds a document that is no object of Kubernetes"},
		{"a word", secret, Malformed, ":1: holds a document that is no object of Kubernetes"},
		{"the second document", configMap + "---\nkind: ConfigMap", Malformed, ":5: holds a document without a valid apiVersion and kind"},
		{"no version", "apiVersion: apps/\nkind: A\nmetadata: {name: a}", Malformed, ":1: holds a document without a valid apiVersion and kind"},
		{"a strange version", "apiVersion: a/b/c\nkind: A\nmetadata: {name: a}", Malformed, ":1: holds a document without a valid apiVersion and kind"},
		{"a strange kind", "apiVersion: v1\nkind: 'field is immutable'\nmetadata: {name: a}", Malformed, ":1: holds a document without a valid apiVersion and kind"},
		{"no metadata", "apiVersion: v1\nkind: ConfigMap", Malformed, ":1: holds a ConfigMap without a valid metadata.name"},
		{"no name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {}}", Malformed, ":1: holds a ConfigMap without a valid metadata.name"},
		{"a number for a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}", Malformed, ":1: holds a ConfigMap without a valid metadata.name"},
		{"a path for a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a/b}", Malformed, ":1: holds a ConfigMap without a valid metadata.name"},
		{"a sentence for a name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'is immutable'}", Malformed, ":1: holds a ConfigMap without a valid metadata.name"},
		{"a strange namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: A B}", Malformed, ":1: holds ConfigMap a with a metadata.namespace that is no name of a namespace"},
		{"a number for a namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: 1}", Malformed, ":1: holds ConfigMap a with a metadata.namespace that is no name of a namespace"},
		{"a generated name", "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}", GeneratedName, ":1: holds a Job with metadata.generateName: the API server would name it, so no approval can; give it a name"},
		{"a generated name beside a name", "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, name: a}", GeneratedName, ":1: holds a Job with metadata.generateName: the API server would name it, so no approval can; give it a name"},
		{"sops", configMap + "data: {a: 'ENC[" + secret + "]'}\nsops: {mac: x}", Encrypted, ":1: holds ConfigMap a encrypted with SOPS, which only its engine can read"},
		{"items of another kind", "apiVersion: v1\nkind: Menu\nmetadata: {name: a}\nitems: []", Ambiguous, ":1: holds an object with items whose kind does not end in List: kubectl takes it for a list, kustomize does not"},
		{"items that are no list", "apiVersion: v1\nkind: List\nitems: {}", Malformed, `:1: holds a "List" whose items are no list`},
		{"an item without a kind", "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}]", Malformed, ":1: holds a document without a valid apiVersion and kind"},
		{"a name set twice", configMap + "data:\n  a: 1\n  a: " + secret, Ambiguous, `:6: sets the name "a" twice`},
		{"a name set twice, in JSON", `{"apiVersion": "v1",` + "\n" + `"a": {"b": 1, "b": "` + secret + `"}}`, Ambiguous, ":2: sets one name twice"},
		{"a list for a name", configMap + "data: {? [a] : b}", Ambiguous, ":4: uses something other than plain text as a name"},
		{"binary", configMap + "data: {a: !!binary " + secret + "}", Ambiguous, ":4: uses a YAML tag that JSON does not know"},
		{"a tag of somebody's", configMap + "data: !Sub " + secret, Ambiguous, ":4: uses a YAML tag that JSON does not know"},
		{"a tag that does not fit", configMap + "data: {a: !!int " + secret + "}", Malformed, ":1: holds a value that JSON cannot express, or whose tag does not fit it"},
		{"not a number", configMap + "data: {a: .nan}", Malformed, ":1: holds a value that JSON cannot express, or whose tag does not fit it"},
		{"null for a name", configMap + "data: {~: " + secret + "}", Malformed, ":1: holds a value that JSON cannot express, or whose tag does not fit it"},
		{"a word with two meanings", configMap + "data:\n  a: {b: [x, yes]}", Ambiguous, `:1: kubectl and kustomize read "data.a.b[1]" differently; quote the value, or write true, false or a decimal number`},
		{"a name with two meanings", configMap + "data: {on: " + secret + "}", Ambiguous, `:1: kubectl and kustomize read "data.true" differently; quote the value, or write true, false or a decimal number`},
		{"broken", configMap + "data: {a: " + secret, Malformed, ":3: is not well-formed YAML: did not find expected ',' or '}'"},
		{"a tab", configMap + "data:\n\ta: " + secret, Malformed, ":5: is not well-formed YAML: found character that cannot start any token"},
		{"an alias of nothing", configMap + "data: {a: *" + secret + "}", Malformed, ":1: is not well-formed YAML: an alias names no anchor (quote a value that begins with a star)"},
		{"an anchor in itself", configMap + "data: &a {b: *a}", Malformed, ":4: holds an anchor that contains itself"},
		{"a document after an end", configMap + "...\n" + secret + ": 1", Ambiguous, `:1: goes on after the end of a document; separate documents by a line "---"`},
		{"a document after a bare return", "a: 1\r---\r" + secret + ": 1", Ambiguous, `:1: goes on after the end of a document; separate documents by a line "---"`},
		{"text beside a separator", "--- " + configMap, Malformed, `:1: a line that begins with "---" holds more than a comment`},
		{"a template", "{{- if .Values." + secret + " }}\n" + configMap, Malformed, ":1: begins like JSON, and is not well-formed JSON"},
		{"YAML that begins like JSON", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", Malformed, ":1: begins like JSON, and is not well-formed JSON"},
		{"JSON cut off", `{"apiVersion": "v1", "a": "` + secret, Malformed, ":1: begins like JSON, and is not well-formed JSON"},
		{"a huge number in JSON", `{"apiVersion": "v1", "a": 1e999}`, Malformed, ":1: holds a number that Kubernetes cannot read"},
		{"two objects in JSON", `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}` + "\n" + `{"a": "` + secret + `"}`, Ambiguous, ":1: holds more than one JSON object; make it a list, or one file each"},
		{"YAML after JSON", `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}` + "\n---\n" + configMap, Malformed, ":2: begins like JSON, and is not well-formed JSON"},
		{"a block without an end", configMap + "data:\n  a: |\n    " + secret, Ambiguous, `:1: kubectl and kustomize read "data.a" differently; end the file with a line break, which kubectl adds and kustomize does not`},
		{"bytes", "apiVersion: v1 # \xff", Malformed, ": is not UTF-8 text"},
		{"a large file's pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", LargeFile, ": is a pointer to Git LFS, and what it points at is not in Git"},
		{"twice", configMap + "---\n" + configMap, Duplicate, ": ConfigMap shop/a stands in apps/a.yaml too"},
		{"twice, once with the namespace", configMap + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}", Duplicate, ": ConfigMap shop/a stands in apps/a.yaml too"},
		{"twice, in two versions", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n---\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}", Duplicate, ": CronJob shop/a stands in apps/a.yaml too"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := refusal(t, DefaultLimits(), files("apps/a.yaml", tt.text), Source{Kind: tier.Plain, Path: "apps", Namespace: "shop"})
			if diff := cmp.Diff("apps/a.yaml"+tt.want, got.Error()); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if got.Reason != tt.reason {
				t.Errorf("reason %s, want %s", got.Reason, tt.reason)
			}
		})
	}
}

func TestDuplicateNamesBothFiles(t *testing.T) {
	tree := files("apps/b.yaml", configMap, "apps/a/c.yaml", "apiVersion: v1\nkind: List\nitems:\n- "+strings.ReplaceAll(configMap, "\n", "\n  "))
	got := refusal(t, DefaultLimits(), tree, Source{Kind: tier.Plain, Path: "apps", Namespace: "shop"})
	if diff := cmp.Diff("apps/b.yaml: ConfigMap shop/a stands in apps/a/c.yaml too", got.Error()); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}

func TestSourceRefuses(t *testing.T) {
	tree := files("apps/a.yaml", configMap, "both/kustomization.yaml", "resources: []", "both/Kustomization", "resources: []")
	tests := []struct {
		source Source
		reason Reason
		want   string
	}{
		{Source{Kind: tier.Plain, Path: "nowhere", Namespace: "shop"}, PathMissing, "nowhere: is not in the repository at this commit"},
		{Source{Kind: tier.Kustomize, Path: "apps/a.yaml/b", Namespace: "shop"}, PathMissing, "apps/a.yaml/b: is not in the repository at this commit"},
		{Source{Kind: tier.Plain, Path: "apps/a.yaml", Namespace: "shop"}, NotADirectory, "apps/a.yaml: is a file; the path of a source is a directory"},
		{Source{Kind: tier.Kustomize, Path: "apps", Namespace: "shop"}, NoKustomization, "apps: holds no kustomization.yaml; add one, or use render: Plain"},
		{Source{Kind: tier.Kustomize, Path: "both", Namespace: "shop"}, Ambiguous, "both: holds more than one kustomization file"},
		{Source{Kind: tier.Plain, Path: "both", Namespace: "shop"}, Ambiguous, "both/Kustomization: is a kustomization, which a plain source does not read; use render: Kustomize, or keep it out of the path"},
		{Source{Kind: "Jsonnet", Path: "apps", Namespace: "shop"}, Unsupported, `there is no renderer named "Jsonnet"`},
		{Source{Kind: "", Path: "apps", Namespace: "shop"}, Unsupported, `there is no renderer named ""`},
		{Source{Kind: tier.Plain, Path: "../apps", Namespace: "shop"}, OutsideTree, "the path of the source is not a clean path inside the repository"},
		{Source{Kind: tier.Plain, Path: "/apps", Namespace: "shop"}, OutsideTree, "the path of the source is not a clean path inside the repository"},
		{Source{Kind: tier.Plain, Path: "apps/", Namespace: "shop"}, OutsideTree, "the path of the source is not a clean path inside the repository"},
		{Source{Kind: tier.Plain, Path: "apps/../apps", Namespace: "shop"}, OutsideTree, "the path of the source is not a clean path inside the repository"},
		{Source{Kind: tier.Plain, Path: "", Namespace: "shop"}, OutsideTree, "the path of the source is not a clean path inside the repository"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %q", tt.source.Kind, tt.source.Path), func(t *testing.T) {
			got := refusal(t, DefaultLimits(), tree, tt.source)
			if got.Error() != tt.want || got.Reason != tt.reason {
				t.Errorf("refused %s: %s\nwant %s: %s", got.Reason, got, tt.reason, tt.want)
			}
		})
	}
}

// TestT36NothingButFiles: links, submodules, pointers to LFS and whatever else is no plain content,
// in the path, on the way to it, and where a kustomization names it.
func TestT36NothingButFiles(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
	kustomization := func(field string) string {
		return field + "\n"
	}
	tests := []struct {
		name   string
		kind   tier.Render
		at     string // what lies here
		mode   fs.FileMode
		data   string
		files  []string // beside it
		reason Reason
		file   string
	}{
		{name: "link to a manifest", kind: tier.Plain, at: "apps/a.yaml", mode: fs.ModeSymlink, data: "../b.yaml", files: []string{"b.yaml", configMap}, reason: Link, file: "apps/a.yaml"},
		{name: "link out of the tree", kind: tier.Plain, at: "apps/a.yaml", mode: fs.ModeSymlink, data: "/etc/passwd", reason: Link, file: "apps/a.yaml"},
		{name: "link to itself", kind: tier.Plain, at: "apps/a.yaml", mode: fs.ModeSymlink, data: "a.yaml", reason: Link, file: "apps/a.yaml"},
		{name: "link to a directory", kind: tier.Plain, at: "apps/more", mode: fs.ModeSymlink, data: "../other", files: []string{"other/b.yaml", configMap}, reason: Link, file: "apps/more"},
		{name: "link that is no manifest", kind: tier.Plain, at: "apps/README", mode: fs.ModeSymlink, data: "../README", reason: Link, file: "apps/README"},
		{name: "link as the path", kind: tier.Plain, at: "apps", mode: fs.ModeSymlink, data: "other", files: []string{"other/b.yaml", configMap}, reason: Link, file: "apps"},
		{name: "link as the path of a kustomization", kind: tier.Kustomize, at: "apps", mode: fs.ModeSymlink, data: "other", reason: Link, file: "apps"},
		{name: "link as a kustomization", kind: tier.Kustomize, at: "apps/kustomization.yaml", mode: fs.ModeSymlink, data: "../k.yaml", reason: Link, file: "apps/kustomization.yaml"},
		{name: "link beside a kustomization", kind: tier.Kustomize, at: "apps/Kustomization", mode: fs.ModeSymlink, data: "../k.yaml", files: []string{"apps/kustomization.yaml", kustomization("namePrefix: a")}, reason: Link, file: "apps/Kustomization"},
		{name: "link as a resource", kind: tier.Kustomize, at: "apps/a.yaml", mode: fs.ModeSymlink, data: "../b.yaml", files: []string{"apps/kustomization.yaml", kustomization("resources: [a.yaml]")}, reason: Link, file: "apps/a.yaml"},
		{name: "link as a base", kind: tier.Kustomize, at: "base", mode: fs.ModeSymlink, data: "b", files: []string{"apps/kustomization.yaml", kustomization("resources: [../base]")}, reason: Link, file: "base"},
		{name: "link on the way to a resource", kind: tier.Kustomize, at: "base", mode: fs.ModeSymlink, data: "b", files: []string{"apps/kustomization.yaml", kustomization("resources: [../base/a.yaml]"), "b/a.yaml", configMap}, reason: Link, file: "base"},
		{name: "link as a file of a generator", kind: tier.Kustomize, at: "apps/f", mode: fs.ModeSymlink, data: "/etc/passwd", files: []string{"apps/kustomization.yaml", kustomization("configMapGenerator: [{name: a, files: [f]}]")}, reason: Link, file: "apps/f"},
		{name: "submodule", kind: tier.Plain, at: "apps/sub", mode: fs.ModeIrregular, reason: Submodule, file: "apps/sub"},
		{name: "submodule as the path", kind: tier.Plain, at: "apps", mode: fs.ModeIrregular, reason: Submodule, file: "apps"},
		{name: "submodule as a base", kind: tier.Kustomize, at: "base", mode: fs.ModeIrregular, files: []string{"apps/kustomization.yaml", kustomization("resources: [../base]")}, reason: Submodule, file: "base"},
		{name: "submodule on the way", kind: tier.Kustomize, at: "base", mode: fs.ModeIrregular, files: []string{"apps/kustomization.yaml", kustomization("components: [../base/c]")}, reason: Submodule, file: "base"},
		{name: "pointer", kind: tier.Plain, at: "apps/a.yaml", data: pointer, reason: LargeFile, file: "apps/a.yaml"},
		{name: "pointer of the old kind", kind: tier.Plain, at: "apps/a.yaml", data: "version https://hawser.github.com/spec/v1\n", reason: LargeFile, file: "apps/a.yaml"},
		{name: "pointer as a resource", kind: tier.Kustomize, at: "apps/a.yaml", data: pointer, files: []string{"apps/kustomization.yaml", kustomization("resources: [a.yaml]")}, reason: LargeFile, file: "apps/a.yaml"},
		{name: "pointer as a patch", kind: tier.Kustomize, at: "apps/p.yaml", data: pointer, files: []string{"apps/kustomization.yaml", kustomization("patches: [{path: p.yaml}]")}, reason: LargeFile, file: "apps/p.yaml"},
		{name: "pointer as a file of a generator", kind: tier.Kustomize, at: "apps/f", data: pointer, files: []string{"apps/kustomization.yaml", kustomization("configMapGenerator: [{name: a, files: [f]}]")}, reason: LargeFile, file: "apps/f"},
		{name: "pointer as variables", kind: tier.Kustomize, at: "apps/f", data: pointer, files: []string{"apps/kustomization.yaml", kustomization("secretGenerator: [{name: a, env: f}]")}, reason: LargeFile, file: "apps/f"},
		{name: "device", kind: tier.Plain, at: "apps/a.yaml", mode: fs.ModeDevice, reason: NotAFile, file: "apps/a.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := files(tt.files...)
			tree[tt.at] = &fstest.MapFile{Data: []byte(tt.data), Mode: tt.mode}
			got := refusal(t, DefaultLimits(), tree, Source{Kind: tt.kind, Path: "apps", Namespace: "shop"})
			if got.Reason != tt.reason || got.File != tt.file {
				t.Errorf("refused %s: %s; want %s for %s", got.Reason, got, tt.reason, tt.file)
			}
		})
	}
}

// TestT33Bombs: inputs that are small and would become large, or are large. Each is refused by its
// limit, in well under a second.
func TestT33Bombs(t *testing.T) {
	small := Limits{
		Entries: 20, Files: 12, FileBytes: 20_000, Bytes: 40_000, Depth: 8, Document: 10_000,
		Nodes: 1_000, Nesting: 20, Objects: 10, Rendered: 20_000, Bases: 16, Time: DefaultLimits().Time,
	}
	many := func(n int, name, data string) fstest.MapFS {
		tree := fstest.MapFS{}
		for i := range n {
			tree[fmt.Sprintf(name, i)] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(data, "%d", fmt.Sprint(i)))}
		}
		return tree
	}
	with := func(tree fstest.MapFS, pairs ...string) fstest.MapFS {
		for name, f := range files(pairs...) {
			tree[name] = f
		}
		return tree
	}
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i)
	}
	documents := strings.Repeat(configMap+"---\n", 20)
	for i := range 20 {
		documents = strings.Replace(documents, "{name: a}", fmt.Sprintf("{name: b%d}", i), 1)
	}
	diamond := fstest.MapFS{"apps/kustomization.yaml": {Data: []byte("resources: [../k0]\n")}}
	for i := range 3 {
		diamond[fmt.Sprintf("k%d/kustomization.yaml", i)] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "resources: [../l%d, ../r%d]\nnamePrefix: k\n", i, i),
		}
		for _, side := range []string{"l", "r"} {
			diamond[fmt.Sprintf("%s%d/kustomization.yaml", side, i)] = &fstest.MapFile{
				Data: fmt.Appendf(nil, "resources: [../k%d]\nnamePrefix: %s\n", i+1, side),
			}
		}
	}
	with(diamond, "k3/kustomization.yaml", "resources: [a.yaml]\n", "k3/a.yaml", configMap)
	big := strings.Repeat("x", 19_000)
	tests := []struct {
		name string
		kind tier.Render
		tree fstest.MapFS
		want string
	}{
		{"a large file", tier.Plain, files("apps/a.yaml", strings.Repeat("# "+secret+"\n", 3_000)), "is larger than 20000 bytes"},
		{"a large document", tier.Plain, files("apps/a.yaml", strings.Repeat("# "+secret+"\n", 1_200)), "holds a document larger than 10000 bytes"},
		{"a large object", tier.Plain, files("apps/a.yaml", `{"a":"`+big[:15_000]+`"}`), "holds an object larger than 10000 bytes"},
		{"much in many files", tier.Plain, many(5, "apps/%d.yaml", strings.Repeat("#\n---\n", 1_700)), "more than 40000 bytes read for this source"},
		{"many files", tier.Plain, many(14, "apps/%d.yaml", "# nothing"), "more than 12 files in this source"},
		{"many names", tier.Plain, many(21, "apps/%d.txt", ""), "more than 20 names in the directories of this source"},
		{"many names in many directories", tier.Plain, many(11, "apps/%d/a.txt", ""), "more than 20 names in the directories of this source"},
		{"deep directories", tier.Plain, files("apps/"+strings.Repeat("d/", 10)+"a.yaml", configMap), "is more than 8 directories deep"},
		{"many objects", tier.Plain, files("apps/a.yaml", documents), "is where this source passes 10 objects"},
		{"many items", tier.Plain, files("apps/a.yaml", "apiVersion: v1\nkind: List\nitems: ["+strings.Repeat("{apiVersion: v1, kind: A, metadata: {name: a}},", 12)+"]"), "is where this source passes 10 objects"},
		{"lists of lists", tier.Plain, files("apps/a.yaml", strings.Repeat(`{"kind":"List","items":[`, 9)+strings.Repeat("]}", 9)), "holds more than 8 lists inside each other"},
		{"many values", tier.Plain, files("apps/a.yaml", "a: ["+strings.Repeat("1,", 1_200)+"]"), "holds more than 1000 values, or more than 20 inside each other"},
		{"many values in JSON", tier.Plain, files("apps/a.yaml", `{"a":[`+strings.Repeat("1,", 1_200)+"1]}"), "holds more than 1000 values, or more than 20 inside each other"},
		{"deep values", tier.Plain, files("apps/a.yaml", "a: "+strings.Repeat("[", 30)+strings.Repeat("]", 30)), "holds more than 1000 values, or more than 20 inside each other"},
		{"deep values in JSON", tier.Plain, files("apps/a.yaml", `{"a":`+strings.Repeat("[", 30)+strings.Repeat("]", 30)+"}"), "holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs", tier.Plain, files("apps/a.yaml", laughs), "holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs as a resource", tier.Kustomize, files("apps/kustomization.yaml", "resources: [a.txt]", "apps/a.txt", laughs), "holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs as a kustomization", tier.Kustomize, files("apps/kustomization.yaml", laughs), "holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs as a patch", tier.Kustomize, files("apps/kustomization.yaml", "patches: [{path: p}]", "apps/p", laughs), "holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs as an inline patch", tier.Kustomize, files("apps/kustomization.yaml", "patches:\n- patch: |\n    "+strings.ReplaceAll(laughs, "\n", "\n    ")), "patches[0] holds more than 1000 values, or more than 20 inside each other"},
		{"a billion laughs as a strategic merge patch", tier.Kustomize, files("apps/kustomization.yaml", "patchesStrategicMerge:\n- |\n  "+strings.ReplaceAll(laughs, "\n", "\n  ")), "patchesStrategicMerge[0] holds more than 1000 values, or more than 20 inside each other"},
		{"an anchor in itself, as a resource", tier.Kustomize, files("apps/kustomization.yaml", "resources: [a]", "apps/a", "a: &a [*a]"), "holds an anchor that contains itself"},
		{"an anchor in itself, as an inline patch", tier.Kustomize, files("apps/kustomization.yaml", "patches: [{patch: 'a: &a [*a]'}]"), "patches[0] holds an anchor that contains itself"},
		{"an anchor in itself, as replacements", tier.Kustomize, files("apps/kustomization.yaml", "replacements: [{path: r}]", "apps/r", "a: &a {b: *a}"), "holds an anchor that contains itself"},
		{"an anchor in itself, as a configuration", tier.Kustomize, files("apps/kustomization.yaml", "configurations: [c]", "apps/c", "a: &a {b: *a}"), "holds an anchor that contains itself"},
		{"bases that multiply", tier.Kustomize, diamond, "loads more than 16 kustomizations"},
		{"one patch on everything", tier.Kustomize, files("apps/kustomization.yaml", "resources: [a.yaml]\npatches: [{path: p, target: {kind: ConfigMap}}]",
			"apps/a.yaml", strings.Join([]string{configMap, strings.Replace(configMap, "{name: a}", "{name: b}", 1), strings.Replace(configMap, "{name: a}", "{name: c}", 1)}, "---\n"),
			"apps/p", "- op: add\n  path: /data\n  value: {x: "+big[:8_000]+"}\n"), "is where this source passes 20000 bytes of objects"},
		{"one file, over and over", tier.Kustomize, files("apps/kustomization.yaml", "configMapGenerator: [{name: a, files: [a=f, b=f, c=f]}]", "apps/f", big), "more than 40000 bytes read for this source"},
		{"deep kustomizations", tier.Kustomize, with(many(12, "k%d/kustomization.yaml", "resources: [../k%d/n]"), "apps/kustomization.yaml", "resources: [d]",
			"apps/d/kustomization.yaml", "resources: [d]", "apps/d/d/kustomization.yaml", "resources: [d]", "apps/d/d/d/kustomization.yaml", "resources: [d]",
			"apps/d/d/d/d/kustomization.yaml", "resources: [d]", "apps/d/d/d/d/d/kustomization.yaml", "resources: [d]",
			"apps/d/d/d/d/d/d/kustomization.yaml", "resources: [d]", "apps/d/d/d/d/d/d/d/kustomization.yaml", "resources: [d]",
			"apps/d/d/d/d/d/d/d/d/kustomization.yaml", "resources: [d]", "apps/d/d/d/d/d/d/d/d/d/kustomization.yaml", "resources: [d]"), "is more than 8 kustomizations deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := refusal(t, small, tt.tree, Source{Kind: tt.kind, Path: "apps", Namespace: "shop"})
			if got.Detail != tt.want {
				t.Errorf("refused %s: %s; want %s", got.Reason, got, tt.want)
			}
			if got.Reason != TooLarge && !strings.Contains(tt.want, "contains itself") {
				t.Errorf("reason %s, want %s", got.Reason, TooLarge)
			}
		})
	}
}

// TestZeroLimitsAllowNothing: limits that somebody forgot admit no render.
func TestZeroLimitsAllowNothing(t *testing.T) {
	limits := Limits{Time: DefaultLimits().Time}
	for _, kind := range []tier.Render{tier.Plain, tier.Kustomize} {
		tree := files("apps/kustomization.yaml", "resources: [a.yaml]", "apps/a.yaml", configMap)
		if kind == tier.Plain {
			delete(tree, "apps/kustomization.yaml")
		}
		if got := refusal(t, limits, tree, Source{Kind: kind, Path: "apps", Namespace: "shop"}); got.Reason != TooLarge {
			t.Errorf("%s: refused %s: %s", kind, got.Reason, got)
		}
	}
	c := readCase(t, "testdata/cases/plain_documents.txtar")
	if _, refused, err := New(Limits{}, nil).Render(context.Background(), c.tree, c.source); err == nil || refused != nil {
		t.Errorf("no time: refused %v, error %v", refused, err)
	}
}

func TestRefusalQuotesStrangeNames(t *testing.T) {
	for file, want := range map[string]string{
		"a/b.yaml":       "a/b.yaml:3: no",
		"a b.yaml":       `"a b.yaml":3: no`,
		"x\ny: allowed":  `"x\ny: allowed":3: no`,
		"\u202egnp.yaml": `"\u202egnp.yaml":3: no`,
	} {
		r := &Refusal{File: file, Line: 3, Detail: "no"}
		if got := r.Error(); got != want {
			t.Errorf("%q: %s, want %s", file, got, want)
		}
	}
}
