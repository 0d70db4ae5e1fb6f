package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// given is a ConfigMap with one entry of data.
func given(name, key, text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata:\n  " + key + ": |-\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n---\n"
}

// TestHelmReleaseValuesFrom: values of ConfigMaps come together as in helm-controller. What is wanted is what its
// own library (fluxcd/pkg/chartutil 1.27.2) made of the same.
func TestHelmReleaseValuesFrom(t *testing.T) {
	manifests := given("a", "values.yaml", "x: a\nm: {one: 1, two: 2}") + given("b", "values.yaml", "x: b\nm: {two: 3}") +
		given("c", "k", "left,right") + given("d", "k", "\"1\"") + given("e", "k", "{1,2}") +
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: elsewhere}\ndata: {values.yaml: \"x: elsewhere\"}\n---\n" +
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {values.yaml: \"x: secret\"}\n"
	for name, tt := range map[string]struct{ spec, want string }{
		"one":                     {"  valuesFrom: [{kind: ConfigMap, name: a}]\n", `{"m":{"one":1,"two":2},"x":"a"}`},
		"later over earlier":      {"  valuesFrom: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: b}]\n", `{"m":{"one":1,"two":3},"x":"b"}`},
		"its own over all":        {"  valuesFrom: [{kind: ConfigMap, name: a}]\n  values: {x: own, m: {one: 9}}\n", `{"m":{"one":9,"two":2},"x":"own"}`},
		"an optional one":         {"  valuesFrom: [{kind: ConfigMap, name: z, optional: true}, {kind: ConfigMap, name: b, valuesKey: none, optional: true}]\n", `{}`},
		"at a path":               {"  valuesFrom: [{kind: ConfigMap, name: d, valuesKey: k, targetPath: m.d}]\n", `{"m":{"d":"1"}}`},
		"a list at a path":        {"  valuesFrom: [{kind: ConfigMap, name: e, valuesKey: k, targetPath: x}]\n", `{"x":[1,2]}`},
		"as it stands":            {"  valuesFrom: [{kind: ConfigMap, name: e, valuesKey: k, targetPath: x, literal: true}]\n", `{"x":"{1,2}"}`},
		"below its own":           {"  valuesFrom: [{kind: ConfigMap, name: d, valuesKey: k, targetPath: m.own}]\n  values: {m: {own: o}}\n", `{"m":{"own":"1"}}`},
		"its own at the same top": {"  valuesFrom: [{kind: ConfigMap, name: d, valuesKey: k, targetPath: x}]\n  values: {x: own}\n", `{"x":"own"}`},
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: {{ .Values | toJson | quote }}}\n", "release.yaml", released(tt.spec), "given/values.yaml", manifests)...)
		src := releaseSource()
		src.Helm.HelmRelease.ConfigMaps = []string{"given/values.yaml"}
		result, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, src)
		if err != nil || refused != nil {
			t.Errorf("%s: %v %v", name, refused, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{"k": tt.want}, result.Objects[0].Content["data"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !slices.Contains(result.Closure.Files, "given/values.yaml") {
			t.Errorf("%s: a change of the ConfigMap would reach nobody: %v", name, result.Closure.Files)
		}
	}
}

// TestConfigMapsRefused: what the files of ConfigMaps may not hold, and that they are read from the commit alone.
func TestConfigMapsRefused(t *testing.T) {
	const from = "  valuesFrom: [{kind: ConfigMap, name: a}]\n"
	good := given("a", "values.yaml", "x: a")
	for name, tt := range map[string]struct{ spec, file, want string }{
		"not there":             {from, strings.Replace(good, "name: a", "name: b", 1), `"values.yaml" of the ConfigMap "a", which no manifest of the source holds`},
		"another entry":         {strings.Replace(from, "name: a", "name: a, valuesKey: other", 1), good, `"other" of the ConfigMap "a"`},
		"of another namespace":  {from, strings.Replace(good, "name: a", "name: a, namespace: elsewhere", 1), "which no manifest of the source holds"},
		"twice":                 {from, good + good, `given.yaml:8: holds the ConfigMap "a" of shop once more`},
		"encrypted":             {from, strings.Replace(good, "\ndata:", "\nsops: {version: 3.9.0}\ndata:", 1), "encrypted with SOPS"},
		"no text":               {from, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {values.yaml: 7}\n", "a value that is no text"},
		"no map":                {from, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: [a]\n", "whose data is no map"},
		"no values":             {from, given("a", "values.yaml", "[x]"), "which is no map of values that"},
		"a bomb":                {from, given("a", "values.yaml", "a: &a [1,1,1,1,1,1,1,1,1]\n"+bomb), "no map of values that can be read safely"},
		"a path that is a list": {strings.Replace(from, "name: a", "name: a, targetPath: 'x[99999]'", 1), good, "cannot be put at its targetPath"},
		"another kind":          {strings.Replace(from, "ConfigMap", "Other", 1), good, "valuesFrom a Secret"},
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings, "release.yaml", released(tt.spec), "given.yaml", tt.file)...)
		src := releaseSource()
		src.Helm.HelmRelease.ConfigMaps = []string{"given.yaml"}
		if got := refusal(t, DefaultLimits(), tree, src); !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%s: %q, want %q", name, got.Error(), tt.want)
		}
	}
	for file, want := range map[string]string{"../given.yaml": "no clean path", "absent.yaml": "it is to be a file of ConfigMaps"} {
		src := releaseSource()
		src.Helm.HelmRelease.ConfigMaps = []string{file}
		tree := files(chartFiles("apps/templates/a.yaml", settings, "release.yaml", released(from))...)
		if got := refusal(t, DefaultLimits(), tree, src); !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %q, want %q", file, got.Error(), want)
		}
	}
}

// bomb doubles what it holds with each line.
var bomb = func() string {
	var b strings.Builder
	for c := 'b'; c < 'k'; c++ {
		b.WriteString(string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 8) + "]\n")
	}
	return b.String()
}()

// TestHelmReleaseValuesFiles: files of values take the place of the chart's own, and are written as one in between,
// which is where numbers lose their form.
func TestHelmReleaseValuesFiles(t *testing.T) {
	tree := files(chartFiles(
		"apps/values.yaml", "x: chart\nonly: chart\n", "envs/all.yaml", "x: all\nm: {one: 1}\n", "envs/prod.yaml", "m: {two: 1000000}\n",
		"apps/templates/a.yaml", settings+"data: {k: {{ .Values | toJson | quote }}, num: \"{{ .Values.m.two }}\"}\n",
		"release.yaml", strings.Replace(released("  values: {z: own}\n"), "chart: ./apps",
			"chart: ./apps, ignoreMissingValuesFiles: true, valuesFiles: [envs/all.yaml, ./envs/prod.yaml, envs/none.yaml]", 1),
	)...)
	result, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, releaseSource())
	if err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	want := map[string]any{"k": `{"m":{"one":1,"two":1000000},"x":"all","z":"own"}`, "num": "1e+06"}
	if diff := cmp.Diff(want, result.Objects[0].Content["data"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.Contains(result.Closure.Missing, "envs/none.yaml") {
		t.Errorf("the file that would be read were it there: %v", result.Closure.Missing)
	}
}

// FuzzConfigMaps: whatever stands in a file of ConfigMaps, and at whatever path it is put, is rendered or refused.
func FuzzConfigMaps(f *testing.F) {
	for _, path := range []string{"", "x", "a.b[0]", `a\.b`, "x[65536]"} {
		f.Add(given("a", "values.yaml", "x: {y: [1, null]}"), path, false)
		f.Add(given("a", "values.yaml", "{1,2},b=c"), path, true)
	}
	f.Fuzz(func(t *testing.T, file, path string, literal bool) {
		spec := map[bool]string{false: "", true: ", literal: true"}[literal]
		if path != "" {
			spec += ", targetPath: '" + strings.ReplaceAll(path, "'", "''") + "'"
		}
		tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: {{ .Values.x | toJson | quote }}}\n",
			"release.yaml", released("  valuesFrom: [{kind: ConfigMap, name: a"+spec+"}]\n"), "given.yaml", file)...)
		src := releaseSource()
		src.Helm.HelmRelease.ConfigMaps = []string{"given.yaml"}
		result, refused, err := New(fuzzLimits(), nil).Render(t.Context(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if refused == nil && len(result.Objects) != 1 {
			t.Fatalf("%d objects", len(result.Objects))
		}
	})
}
