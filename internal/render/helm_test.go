package render

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// chartFiles is a chart in apps/ with the given templates and values.
func chartFiles(pairs ...string) []string {
	return append([]string{"apps/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"}, pairs...)
}

func chartSource() Source {
	return Source{Kind: tier.Chart, Path: "apps", Namespace: "shop", Helm: Helm{Helm: tier.Helm{Release: "shop"}}}
}

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"

// TestT35: each function that answers from outside of a chart is found where it is called, and named.
func TestT35(t *testing.T) {
	calls := map[string]string{
		"lookup": `lookup "v1" "Secret" "" ""`, "genCAWithKey": `genCAWithKey "a" 1 "x"`, "genCA": `genCA "a" 1`,
		"randInt": `randInt 1 9`, "ago": `ago 1`, "env": `env "HOME"`, "getHostByName": `getHostByName "example.com"`,
	}
	for name, why := range outside() {
		call := calls[name]
		if call == "" {
			call = name + ` "a" "b"`
		}
		want := "apps/templates/a.yaml:4: asks `" + name + "`, which " + why + "; give the chart a value instead, or commit what helm renders"
		for form, template := range map[string]string{
			"plain": `{{ ` + call + ` }}`, "in tpl": "{{ tpl \"{{ " + name + " 1 }}\" . }}",
		} {
			tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: "+template+"}\n")...)
			if form == "in tpl" {
				want = "apps/templates/a.yaml:4: asks `" + name + "`, which " + why + "; give the chart a value instead, or commit what helm renders"
			}
			got := refusal(t, DefaultLimits(), tree, chartSource())
			if got.Reason != Unbindable || got.Error() != want {
				t.Errorf("%s %s: %s %q, want %q", name, form, got.Reason, got.Error(), want)
			}
		}
	}
}

// TestT35TimesInTOML: a moment in TOML becomes a value that templates can hold against the clock, or ask for the time
// zone of whoever renders. The same commit would render to something else from a certain day on.
func TestT35TimesInTOML(t *testing.T) {
	for name, data := range map[string]string{
		"held against the clock": `{{ (fromToml "d = 2020-01-01T00:00:00Z").d | durationRound | quote }}`,
		"in a time zone":         `{{ (fromToml "d = 2020-01-01T00:00:00Z").d.Local.String | quote }}`,
		"without a time zone":    `{{ (fromToml "d = 2020-01-01T00:00:00").d | toString | quote }}`,
		"deep inside":            `{{ (index (fromToml "[[a]]\nb = [{c = 2020-01-01}]").a 0) | toJson | quote }}`,
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: "+data+"}\n")...)
		got := refusal(t, DefaultLimits(), tree, chartSource())
		want := "apps/templates/a.yaml:4: asks `fromToml`, which gives a time, and that can be held against the clock or the time zone of whoever renders; write times as texts, in quotes"
		if got.Reason != Unbindable || got.Error() != want {
			t.Errorf("%s: %s %q, want %q", name, got.Reason, got.Error(), want)
		}
	}
	tree := files(chartFiles("apps/templates/a.yaml", settings+`data:
  read: {{ (fromToml "a = [1, {b = '2020-01-01'}]").a | toJson | quote }}
  wrong: {{ hasKey (fromToml "a = ") "Error" | quote }}
`)...)
	want := map[string]any{"read": `[1,{"b":"2020-01-01"}]`, "wrong": "true"}
	if diff := cmp.Diff(want, render(t, tree, chartSource()).Objects[0].Content["data"]); diff != "" {
		t.Errorf("TOML without times (-want +got):\n%s", diff)
	}
}

// TestChartUnstable: what the chart asks in other ways, and what differs from one render to the next.
func TestChartUnstable(t *testing.T) {
	for name, tt := range map[string]struct{ data, want string }{
		"installed": {`"{{ .Release.IsInstall }}"`, `apps: renders "data.k" of ConfigMap settings differently from one time to the next: it depends on whether and how often the release was installed before (.Release.IsInstall, .IsUpgrade or .Revision)`},
		"revision":  {`"{{ .Release.Revision }}"`, `apps: renders "data.k" of ConfigMap settings differently from one time to the next: it depends on whether and how often the release was installed before (.Release.IsInstall, .IsUpgrade or .Revision)`},
		"keys":      {`{{ keys (dict "a" 1 "b" 2) | join "," | quote }}`, `apps: renders "data.k" of ConfigMap settings differently from one time to the next: it depends on chance or on the order in which maps are walked; sort what ` + "`keys` and `values` give"},
		"values":    {`{{ values (dict "a" 1 "b" 2) | join "," | quote }}`, `apps: renders "data.k" of ConfigMap settings differently from one time to the next: it depends on chance or on the order in which maps are walked; sort what ` + "`keys` and `values` give"},
		"address":   {`{{ printf "%p" .Values | quote }}`, `apps: renders "data.k" of ConfigMap settings differently from one time to the next: it depends on chance or on the order in which maps are walked; sort what ` + "`keys` and `values` give"},
		"version":   {`{{ .Capabilities.KubeVersion.Minor | quote }}`, "apps/templates/a.yaml:4: asks `.Capabilities.KubeVersion`, which depends on where it is installed; set helm.kubeVersion in the source"},
		"printed":   {`"{{ .Capabilities.KubeVersion }}"`, "apps: asks `.Capabilities.KubeVersion`, which depends on where it is installed; set helm.kubeVersion in the source"},
		"has":       {`{{ .Capabilities.APIVersions.Has "policy/v1" | quote }}`, "apps/templates/a.yaml:4: asks `.Capabilities.APIVersions`, which depends on where it is installed; set helm.apiVersions in the source"},
		"helm":      {`{{ .Capabilities.HelmVersion.Version | quote }}`, "apps/templates/a.yaml:4: asks `.Capabilities.HelmVersion`, which depends on where it is installed; no template that can be bound may use it"},
	} {
		tree := files(chartFiles("apps/templates/a.yaml", settings+"data: {k: "+tt.data+"}\n")...)
		got := refusal(t, DefaultLimits(), tree, chartSource())
		if got.Reason != Unbindable || got.Error() != tt.want {
			t.Errorf("%s: %s %q, want %q", name, got.Reason, got.Error(), tt.want)
		}
	}
}

// TestChartUncalled: a helper that would ask the cluster, and that nobody calls, does no harm; and what
// the source says of the cluster may be asked.
func TestChartUncalled(t *testing.T) {
	src := chartSource()
	src.Helm.KubeVersion, src.Helm.APIVersions = "1.37.2", []string{"policy/v1"}
	tree := files(chartFiles("apps/templates/_helpers.tpl", `{{ define "secret" }}{{ lookup "v1" "Secret" "" "" }}{{ end }}`,
		"apps/templates/a.yaml", settings+`data:
  version: {{ .Capabilities.KubeVersion.Version }}
  known: {{ .Capabilities.APIVersions.Has "policy/v1" | quote }}
  gone: {{ .Capabilities.APIVersions.Has "policy/v1beta1" | quote }}
  sorted: {{ keys (dict "b" 2 "a" 1) | sortAlpha | join "," | quote }}
`)...)
	result, refused, err := New(DefaultLimits(), nil).Render(context.Background(), tree, src)
	if err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	want := map[string]any{"version": "v1.37.2", "known": "true", "gone": "false", "sorted": "a,b"}
	if diff := cmp.Diff(want, result.Objects[0].Content["data"]); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
