package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestChartRefuses: what is no chart that anybody could approve, and where it is wrong.
func TestChartRefuses(t *testing.T) {
	const chart, template = "apps/Chart.yaml", "apps/templates/a.yaml"
	named := "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
	with := func(pairs ...string) fstest.MapFS { return files(append([]string{chart, named}, pairs...)...) }
	link := with()
	link["apps/templates/a.yaml"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}
	linkedDir := with()
	linkedDir["apps/charts"] = &fstest.MapFile{Data: []byte("../../secrets"), Mode: fs.ModeSymlink}
	submodule := with()
	submodule["apps/charts/cache"] = &fstest.MapFile{Mode: fs.ModeIrregular}
	values := func(names ...string) func(*Source) { return func(s *Source) { s.Helm.ValuesFiles = names } }
	for name, tt := range map[string]struct {
		tree   fs.FS
		source func(*Source)
		reason Reason
		want   string
	}{
		"no chart":           {files(template, settings), nil, PathMissing, "apps: holds no Chart.yaml; add one, or use another renderer"},
		"a link":             {link, nil, Link, "apps/templates/a.yaml: is a symbolic link; put the content itself here"},
		"a linked directory": {linkedDir, nil, Link, "apps/charts: is a symbolic link; put the content itself here"},
		"a submodule":        {submodule, nil, Submodule, "apps/charts/cache: is a submodule, and what it holds is not in this repository"},
		"no release":         {with(), func(s *Source) { s.Helm.Release = "" }, Unsupported, "a chart needs the name of its release: small letters, digits and dashes, 53 at most"},
		"a bad release":      {with(), func(s *Source) { s.Helm.Release = "../x" }, Unsupported, "a chart needs the name of its release: small letters, digits and dashes, 53 at most"},
		"a bad version":      {with(), func(s *Source) { s.Helm.KubeVersion = "new" }, Unsupported, "helm.kubeVersion of the source is no version of Kubernetes"},
		"values outside":     {with(), values("../values.yaml"), OutsideTree, "a file of values is not a clean path inside the repository"},
		"values at /":        {with(), values("/etc/passwd"), OutsideTree, "a file of values is not a clean path inside the repository"},
		"values of the net":  {with(), values("https://evil.example/values.yaml"), OutsideTree, "a file of values is not a clean path inside the repository"},
		"no values":          {with(), values("values.yaml"), PathMissing, "values.yaml: is not in the repository, and the source names it as a file of values"},
		"values are a list":  {with("v.yaml", "[hunter2]"), values("v.yaml"), Malformed, "v.yaml: holds values that are no map"},
		"values twice":       {with("v.yaml", "a: 1\na: hunter2\n"), values("v.yaml"), Ambiguous, `v.yaml:2: sets the name "a" twice`},
		"values in a bomb":   {with("v.yaml", "a: &a [&b [x]]\nc: &c [*c]\n"), values("v.yaml"), Malformed, "v.yaml:2: holds an anchor that contains itself"},
		"sealed values":      {with("v.yaml", "password: ENC[x]\nsops: {mac: x}\n"), values("v.yaml"), Encrypted, "v.yaml: is encrypted with SOPS, which only its engine can read"},
		"no name": {
			files(chart, "apiVersion: v2\nversion: 1.0.0\n"), nil, Malformed, "apps: is no chart that helm can load; run `helm lint` on it to see why",
		},
		"a library": {files(chart, named+"type: library\n"), nil, Unsupported, "apps/Chart.yaml: is a library chart, which helm does not install"},
		"not fetched": {
			files(chart, named+"dependencies: [{name: cache, version: 1.0.0, repository: 'https://charts.example'}]\n"), nil, Remote,
			"apps/Chart.yaml: dependencies[0] is not in charts/; run `helm dependency build` and commit what it fetches",
		},
		"too old": {
			files(chart, named+"kubeVersion: '>= 2.0.0'\n"), func(s *Source) { s.Helm.KubeVersion = "1.37.2" }, Unsupported,
			"apps/Chart.yaml: asks for another kubeVersion than the source names",
		},
		"bad rules":      {with("apps/.helmignore", "**/x\n"), nil, Malformed, "apps/.helmignore: holds a rule that helm cannot read"},
		"no template":    {with(template, "a: {{ b"), nil, Unbuildable, "apps/templates/a.yaml:1: helm cannot render it; run `helm template` on the chart to see why"},
		"it fails":       {with(template, "\n{{ fail \"hunter2\" }}"), nil, Unbuildable, "apps/templates/a.yaml:2: helm cannot render it; run `helm template` on the chart to see why"},
		"not given":      {with(template, `{{ required "hunter2" .Values.x }}`), nil, Unbuildable, "apps/templates/a.yaml:1: helm cannot render it; run `helm template` on the chart to see why"},
		"for ever":       {with(template, `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`), nil, Unbuildable, "apps/templates/a.yaml:1: helm cannot render it; run `helm template` on the chart to see why"},
		"not YAML":       {with(template, "a: [\n"), nil, Malformed, "apps: renders to text that is not well-formed YAML; run `helm template` on it to see where"},
		"no object":      {with(template, "a: hunter2\n"), nil, Malformed, "apps/templates/a.yaml: holds a document without a valid apiVersion and kind"},
		"twice":          {with(template, settings, "apps/templates/b.yaml", settings), nil, Duplicate, "apps/templates/b.yaml: ConfigMap shop/settings stands in apps/templates/a.yaml too"},
		"a name twice":   {with(template, settings+"data: {a: x, a: y}\n"), nil, Ambiguous, `apps/templates/a.yaml: sets the name "a" twice`},
		"read two ways":  {with(template, settings+"data: {a: yes}\n"), nil, Ambiguous, `apps/templates/a.yaml: kubectl and kustomize read "data.a" differently; quote the value, or write true, false or a decimal number`},
		"another's name": {with(template, "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n"), nil, GeneratedName, "apps/templates/a.yaml: holds a Pod with metadata.generateName: the API server would name it, so no approval can; give it a name"},
	} {
		t.Run(name, func(t *testing.T) {
			src := chartSource()
			if tt.source != nil {
				tt.source(&src)
			}
			got := refusal(t, DefaultLimits(), tt.tree, src)
			if got.Reason != tt.reason || got.Error() != tt.want {
				t.Errorf("%s %q, want %s %q", got.Reason, got.Error(), tt.reason, tt.want)
			}
		})
	}
}

// TestT34ChartReachesNothing: files of the machine and addresses are nothing to a chart but text, and a
// schema of values that names an address is not followed.
func TestT34ChartReachesNothing(t *testing.T) {
	tr := setTrap(t)
	tree := files(chartFiles(
		"apps/values.schema.json", `{"$ref":"http://evil.example/schema.json"}`,
		"apps/Chart.lock", "dependencies: [{name: x, repository: 'https://evil.example'}]\n",
		"apps/templates/a.yaml", settings+`data:
  passwd: {{ .Files.Get "/etc/passwd" | quote }}
  above: {{ .Files.Get "../../../etc/passwd" | quote }}
  lines: {{ len (.Files.Lines "../values.yaml") | quote }}
  glob: {{ len (.Files.Glob "../**") | quote }}
`, "values.yaml", "hunter2: true\n")...)
	result := render(t, tree, chartSource())
	want := map[string]any{"passwd": "", "above": "", "lines": "0", "glob": "0"}
	if diff := cmp.Diff(want, result.Objects[0].Content["data"]); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if n := tr.http.Load(); n > 0 || tr.programs(t) != "" {
		t.Errorf("%d requests, programs: %s", n, tr.programs(t))
	}
}

// TestChartInArchive: a dependency may lie in charts/ as an archive, and reaches nothing outside of it.
func TestChartInArchive(t *testing.T) {
	packed := func(name, content string) string {
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		list := tar.NewWriter(zip)
		for _, f := range [][2]string{{"cache/Chart.yaml", "apiVersion: v2\nname: cache\nversion: 1.0.0\n"}, {name, content}} {
			if err := list.WriteHeader(&tar.Header{Name: f[0], Size: int64(len(f[1])), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			if _, err := list.Write([]byte(f[1])); err != nil {
				t.Fatal(err)
			}
		}
		if list.Close() != nil || zip.Close() != nil {
			t.Fatal("packing")
		}
		return out.String()
	}
	result := render(t, files(chartFiles("apps/charts/cache-1.0.0.tgz", packed("cache/templates/a.yaml", settings))...), chartSource())
	if len(result.Objects) != 1 || result.Objects[0].File != "apps" {
		t.Errorf("objects %+v", result.Objects)
	}
	// Names are taken apart in memory: one that points outside is refused, or is a file of the dependency.
	for _, name := range []string{"../evil", "cache/../../evil", "/evil", "cache/../../templates/evil.yaml"} {
		tree := files(chartFiles("apps/charts/cache-1.0.0.tgz", packed(name, settings))...)
		result, refused, err := New(DefaultLimits(), nil).Render(context.Background(), tree, chartSource())
		if err != nil || len(result.Objects) > 0 || refused != nil && refused.Reason != Malformed {
			t.Errorf("%s: %d objects, refused %v, error %v", name, len(result.Objects), refused, err)
		}
	}
}

// FuzzChart: no template and no values make a chart panic, render to two things, or leave the process.
func FuzzChart(f *testing.F) {
	f.Add(settings+"data: {k: {{ .Values.a | quote }}}\n", "a: 1\n")
	f.Add(settings+"data: {k: {{ keys .Values | join \",\" | quote }}}\n", "a: 1\nb: 2\n")
	f.Add("{{ range $k, $v := .Values }}\n---\n"+settings+"data: {k: {{ $v | toJson | quote }}}\n{{ end }}", "a: &x {b: c}\nd: *x\n")
	f.Add("{{ with .Release }}{{ .Name }}{{ end }}", "")
	f.Add(settings+`data: {k: "{{ .Capabilities.KubeVersion }}"}`, "")
	for name := range outside() {
		f.Add("{{ "+name+" }}", "")
	}
	f.Fuzz(func(t *testing.T, template, values string) {
		// What loops, recurses or grows is for a worker to end, not for this process.
		for _, word := range []string{"tpl", "template", "block", "include", "until", "repeat", "seq", "indent", "regex", "Rep", "rep", "derive", "wrap", "printf", "abbrev", "trunc", "substr"} {
			if strings.Contains(template, word) || len(template) > 1<<10 {
				return
			}
		}
		before := http.DefaultTransport
		http.DefaultTransport = &trap{}
		defer func() { http.DefaultTransport = before }()
		src := chartSource()
		src.Helm.ValuesFiles = []string{"values.yaml"}
		tree := files(chartFiles("apps/templates/a.yaml", template, "values.yaml", values)...)
		renderer := New(fuzzLimits(), nil)
		first, refused, err := renderer.Render(context.Background(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if refused != nil && len(first.Objects) > 0 {
			t.Error("refused, and yet there are objects")
		}
		second, again, err := renderer.Render(context.Background(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" || (refused == nil) != (again == nil) {
			t.Errorf("rendered twice (-first +second):\n%s\nrefused %v, then %v", diff, refused, again)
		}
	})
}

// TestT35SameEachTime: the same commit gives the same objects (T-35).
func TestT35SameEachTime(t *testing.T) {
	c := readCase(t, "testdata/cases/helm.txtar")
	renderer := New(DefaultLimits(), knows{})
	first := render(t, c.tree, c.source)
	for range 1000 {
		again, refused, err := renderer.Render(context.Background(), c.tree, c.source)
		if err != nil || refused != nil {
			t.Fatal(refused, err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("rendered again (-first +again):\n%s", diff)
		}
	}
	if c.source.Kind != tier.Chart {
		t.Error("that is no chart")
	}
}
