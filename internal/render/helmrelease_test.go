package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// released is the manifest of the HelmRelease that delivers chartSource, with more in its spec.
func released(more string) string {
	return "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: shop, namespace: shop}\nspec:\n  interval: 1h\n" +
		"  chart: {spec: {chart: ./apps, sourceRef: {kind: GitRepository, name: apps}}}\n" + more
}

// releaseSource is chartSource, delivered by the HelmRelease of a file.
func releaseSource() Source {
	src := chartSource()
	src.Helm.HelmRelease = &Flux{Namespace: "shop", Name: "shop", File: "release.yaml"}
	return src
}

// TestHelmReleaseFile: values and common metadata of a HelmRelease are part of what is rendered, as
// helm-controller makes it of them, and its manifest is one of the files that were read.
func TestHelmReleaseFile(t *testing.T) {
	tree := files(chartFiles(
		"apps/values.yaml", "a: chart\nb: {c: 1, d: 2}\n",
		"apps/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, labels: {team: chart}}\ndata: {k: \"{{ .Values.a }} {{ .Values.b.c }} {{ .Values.b.d }}\"}\n",
		"apps/templates/b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: hook, annotations: {helm.sh/hook: test}}\nspec: {containers: [{name: a, image: a}]}\n",
		"apps/crds/x.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.com}\n",
		"release.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n---\n"+released("  values: {a: release, b: {d: 1000000}}\n  commonMetadata: {labels: {team: shop, app.kubernetes.io/managed-by: us}, annotations: {note: here}}\n"),
	)...)
	src := releaseSource()
	src.Helm.Marked = true
	result, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, src)
	if err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	got := map[string]any{}
	for _, o := range result.Objects {
		meta := o.Content["metadata"].(map[string]any)
		got[o.ID.Kind+" labels"], got[o.ID.Kind+" annotations"] = meta["labels"], meta["annotations"]
		if o.ID.Kind == "ConfigMap" {
			got["data"] = o.Content["data"]
		}
	}
	want := map[string]any{
		"ConfigMap labels":      map[string]any{"team": "shop", "app.kubernetes.io/managed-by": "Helm"}, // Helm's mark is the last
		"ConfigMap annotations": map[string]any{"note": "here", "meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop"},
		"Pod labels":            map[string]any{"team": "shop", "app.kubernetes.io/managed-by": "us"}, "Pod annotations": map[string]any{"note": "here", "helm.sh/hook": "test"},
		"CustomResourceDefinition labels": nil, "CustomResourceDefinition annotations": nil,
		"data": map[string]any{"k": "release 1 1e+06"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHelmReleaseRefused: what makes the result depend on more than the commit, and what is not reproduced, is
// refused with the reason, which the condition of the source shows.
func TestHelmReleaseRefused(t *testing.T) {
	for name, tt := range map[string]struct{ manifest, want string }{
		"values of the cluster":  {released("  valuesFrom: [{kind: ConfigMap, name: x}]\n"), "name the file of its manifest in via.helmRelease.valuesFrom"},
		"a Secret's values":      {released("  valuesFrom: [{kind: Secret, name: x, optional: true}]\n"), "with valuesFrom a Secret: no commit that people can read"},
		"post-renderers":         {released("  postRenderers: [{kustomize: {images: [{name: a, newTag: b}]}}]\n"), "with postRenderers, which are not reproduced"},
		"files of a registry":    {strings.Replace(released(""), "chart: ./apps, sourceRef: {kind: GitRepository", "chart: web, valuesFiles: [x.yaml], sourceRef: {kind: HelmRepository", 1), "a chart that is not in the repository"},
		"another chart":          {strings.Replace(released(""), "./apps", "./other", 1), "of another chart than the source's"},
		"files of values":        {strings.Replace(released(""), "chart: ./apps", "chart: ./apps, valuesFiles: [x.yaml]", 1), "x.yaml: is not in the repository, and the HelmRelease names it"},
		"files from above":       {strings.Replace(released(""), "chart: ./apps", "chart: ./apps, valuesFiles: [../x.yaml]", 1), "no paths inside the repository"},
		"files from the root":    {strings.Replace(released(""), "chart: ./apps", "chart: ./apps, valuesFiles: [/]", 1), "no paths inside the repository"},
		"files over none":        {strings.Replace(released(""), "chart: ./apps", "chart: ./apps, ignoreMissingValuesFiles: true, valuesFiles: [x.yaml]", 1), "holds no values.yaml"},
		"another release":        {released("  releaseName: other\n"), "of another release"},
		"another namespace":      {released("  releaseName: shop\n  targetNamespace: play\n"), "delivers to another namespace"},
		"the name that Flux has": {released("  targetNamespace: shop\n"), "of another release"}, // shop-shop
		"values that are none":   {released("  values: [a]\n"), "whose values are no map"},
		"encrypted":              {released("sops: {version: 3.9.0}\n"), "encrypted with SOPS"},
		"a field of tomorrow":    {released("  surprise: {}\n"), "not understood"},
		"twice":                  {released("") + "---\n" + released(""), "2 times"},
		"not at all":             {strings.Replace(released(""), "name: shop, namespace", "name: other, namespace", 1), "0 times"},
		"of another namespace":   {strings.Replace(released(""), "namespace: shop", "namespace: other", 1), "0 times"},
		"another kind":           {strings.Replace(released(""), "HelmRelease", "Other", 1), "0 times"},
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings, "release.yaml", tt.manifest)...)
		if got := refusal(t, DefaultLimits(), tree, releaseSource()); !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%s: %q, want %q", name, got.Error(), tt.want)
		}
	}
	tree := files(chartFiles("apps/templates/a.yaml", settings, "release.yaml", released(""))...)
	src := releaseSource()
	src.Helm.Values = "a: b"
	if got := refusal(t, DefaultLimits(), tree, src); !strings.Contains(got.Error(), "keep them in the HelmRelease") {
		t.Errorf("values beside it: %q", got.Error())
	}
	for file, want := range map[string]string{"../release.yaml": "no clean path", "absent.yaml": "is not in the repository"} {
		src := releaseSource()
		src.Helm.HelmRelease.File = file
		if got := refusal(t, DefaultLimits(), tree, src); !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %q, want %q", file, got.Error(), want)
		}
	}
}

// TestHelmReleaseElsewhere: where the chart is fetched from and to which cluster it goes decides nothing. What arrives
// is held against what the chart in the repository renders to.
func TestHelmReleaseElsewhere(t *testing.T) {
	chart := "  chart: {spec: {chart: ./apps, sourceRef: {kind: GitRepository, name: apps}}}\n"
	for name, spec := range map[string]string{
		"a chart by reference": "  chartRef: {kind: OCIRepository, name: x}\n",
		"a chart repository":   "  chart: {spec: {chart: web, version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}\n",
		"another cluster":      chart + "  kubeConfig: {secretRef: {name: x}}\n",
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings, "release.yaml", strings.Replace(released(""), chart, spec, 1))...)
		result, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, releaseSource())
		if err != nil || refused != nil || len(result.Objects) != 1 {
			t.Errorf("%s: %d objects, %v %v", name, len(result.Objects), refused, err)
		}
	}
}

// FuzzHelmRelease: whatever stands in the file of a HelmRelease is rendered or refused.
func FuzzHelmRelease(f *testing.F) {
	for _, more := range []string{
		"", "  values: {a: 1, b: {c: [1, null]}}\n", "  commonMetadata: {labels: {a: b}, annotations: {c: d}}\n",
		"  valuesFrom: [{kind: Secret, name: x}]\n", "  releaseName: shop\n  targetNamespace: shop\n", "  values: 3\n",
	} {
		f.Add(released(more))
	}
	f.Fuzz(func(t *testing.T, manifest string) {
		tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: {{ .Values.a | quote }}}\n", "release.yaml", manifest)...)
		result, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, releaseSource())
		if err != nil {
			t.Fatal(err)
		}
		if refused == nil && len(result.Objects) != 1 {
			t.Fatalf("%d objects", len(result.Objects))
		}
	})
}
