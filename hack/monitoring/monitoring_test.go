package monitoring

import (
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"sigs.k8s.io/yaml"
)

// rendered is what the chart renders to with everything on; a test of the chart holds it against the templates.
const rendered = "../../charts/testdata/everything.yaml"

// objects are the documents of a kind, as text.
func objects(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile(rendered)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, doc := range regexp.MustCompile(`(?m)^---$`).Split(string(text), -1) {
		if strings.Contains(doc, "\nkind: "+kind+"\n") {
			found = append(found, doc)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s, want one", len(found), kind)
	}
	return found
}

func decode[T any](t *testing.T, kind string) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict([]byte(objects(t, kind)[0]), &object); err != nil {
		t.Errorf("%s: %v", kind, err)
	}
	return object
}

// TestObjectsOfTheOperator have no field that the operator does not know, and say what it needs to know.
func TestObjectsOfTheOperator(t *testing.T) {
	service, pods := decode[monitoringv1.ServiceMonitor](t, "ServiceMonitor"), decode[monitoringv1.PodMonitor](t, "PodMonitor")
	if len(service.Spec.Endpoints) != 1 || service.Spec.Endpoints[0].Port == "" || len(service.Spec.Selector.MatchLabels) == 0 {
		t.Errorf("the ServiceMonitor asks %+v", service.Spec)
	}
	if len(pods.Spec.PodMetricsEndpoints) != 1 || pods.Spec.PodMetricsEndpoints[0].Port == nil || len(pods.Spec.Selector.MatchLabels) == 0 {
		t.Errorf("the PodMonitor asks %+v", pods.Spec)
	}
	if rules := decode[monitoringv1.PrometheusRule](t, "PrometheusRule"); len(rules.Spec.Groups) == 0 {
		t.Error("there are no rules")
	}
}

// groups are the rules as Prometheus reads them: it knows every field, parses each expression and template.
func groups(t *testing.T) *rulefmt.RuleGroups {
	t.Helper()
	text, err := os.ReadFile("../../charts/fairway/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read, problems := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, problem := range problems {
		t.Error(problem)
	}
	return read
}

// foreign are the metrics of others that alerts ask for, and by whom they are given.
var foreign = map[string]string{
	"up": "Prometheus, of each target",
	"apiserver_admission_webhook_fail_open_count": "the API server",
}

// TestAlertsAskForWhatThereIs: each series that an alert selects is one that Fairway counts, by labels that it has.
func TestAlertsAskForWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("../../docs/observability.md") // held against the code by a test
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(fairway_[a-z_]+)` \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		known[row[1]] = nil
		for _, label := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			known[row[1]] = append(known[row[1]], label[1])
		}
	}
	if len(known) < 20 {
		t.Fatalf("the page has %d metrics", len(known))
	}
	for _, group := range groups(t).Groups {
		for _, rule := range group.Rules {
			expression, err := parser.NewParser(parser.Options{}).ParseExpr(rule.Expr)
			if err != nil {
				t.Error(err)
				continue
			}
			parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
				selector, is := node.(*parser.VectorSelector)
				if !is || foreign[selector.Name] != "" {
					return nil
				}
				of, is := known[strings.TrimSuffix(selector.Name, "_bucket")]
				if !is {
					t.Errorf("%s: nobody counts %s", rule.Alert, selector.Name)
				}
				for _, m := range selector.LabelMatchers {
					if m.Name != labels.MetricName && !slices.Contains(of, m.Name) {
						t.Errorf("%s: %s has no label %s", rule.Alert, selector.Name, m.Name)
					}
				}
				return nil
			})
		}
	}
}

// fires are series for each alert under which it must fire at the thirtieth minute, and others under which it must not.
var fires = map[string]struct{ on, off string }{
	"FairwayFailedOpen": {
		`apiserver_admission_webhook_fail_open_count{name="lenient.fairway.dev"} 0+1x60`,
		`apiserver_admission_webhook_fail_open_count{name="lenient.example.com"} 0+1x60`,
	},
	"FairwayGateDown":           {`up{job="fairway",pod="a"} 1x60`, "up{job=\"fairway\",pod=\"a\"} 1x60\n  up{job=\"fairway\",pod=\"b\"} 1x60"},
	"FairwayCutOff":             {`fairway_cluster_silence_seconds{pod="a"} 0+60x60`, `fairway_cluster_silence_seconds{pod="a"} 75x60`},
	"FairwayCertificateExpires": {`fairway_serving_certificate_expiry_timestamp_seconds 1x60`, `fairway_serving_certificate_expiry_timestamp_seconds 1e9x60`},
	"FairwayUnjudged":           {`fairway_admission_unjudged_total{cause="deadline"} 0+60x60`, `fairway_admission_unjudged_total{cause="gone"} 0+60x60`},
	"FairwayPanics":             {`fairway_admission_panics_total 0+1x60`, `fairway_admission_panics_total 1x60`},
	"FairwaySlow":               {"fairway_admission_duration_seconds_bucket{le=\"1\"} 0x60\n  fairway_admission_duration_seconds_bucket{le=\"5\"} 0+9x60\n  fairway_admission_duration_seconds_bucket{le=\"+Inf\"} 0+9x60", `fairway_admission_duration_seconds_bucket{le="+Inf"} 0x60`},
	"FairwayProverStands":       {``, `fairway_repository_looks_total 0+1x60`},
	"FairwayDrift":              {`fairway_audit_objects{state="drifted",tier="a"} 1x60`, `fairway_audit_objects{state="missing",tier="a"} 1x60`},
	"FairwayForgedProof":        {`fairway_proofs_rejected_total{reason="a"} 0+1x60`, `fairway_proofs_rejected_total{reason="a"} 1x60`},
	"FairwayNotEnforcing":       {`fairway_enforcement_up 0x60`, "fairway_enforcement_up{pod=\"a\"} 0x60\n  fairway_enforcement_up{pod=\"b\"} 1x60"},
	"FairwayEmergency":          {`fairway_emergency 1x60`, `fairway_emergency 0x60`},
	"FairwayConfigTampered":     {`fairway_config_tamper_total{what="removed"} 0+1x60`, `fairway_config_tamper_total{what="removed"} 3x60`},
	"FairwayCoverageGap":        {`fairway_coverage_gaps 1x60`, `fairway_coverage_gaps 0x60`},
	"FairwayWebhookLoop":        {`fairway_webhook_loops 1x60`, `fairway_webhook_loops 0x60`},
	"FairwayPolicyChanged":      {`fairway_policy_changes_total 0+1x60`, `fairway_policy_changes_total 3x60`},
}

// TestAlertsFire: Prometheus' own engine finds each alert true where it should be, and not where it should not.
func TestAlertsFire(t *testing.T) {
	untried := maps.Clone(fires)
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	for _, group := range groups(t).Groups {
		for _, rule := range group.Rules {
			series, is := fires[rule.Alert]
			if !is {
				t.Errorf("nobody says when %s fires", rule.Alert)
				continue
			}
			delete(untried, rule.Alert)
			for what, load := range map[string]string{"on": series.on, "off": series.off} {
				store := promqltest.LoadedStorage(t, "load 1m\n  "+load+"\n")
				query, err := engine.NewInstantQuery(t.Context(), store, nil, rule.Expr, time.Unix(1800, 0))
				if err != nil {
					t.Fatal(err)
				}
				result := query.Exec(t.Context())
				vector, err := result.Vector()
				if err != nil {
					t.Errorf("%s: %v", rule.Alert, err)
				}
				if fired := len(vector) > 0; fired != (what == "on") {
					t.Errorf("%s with %s: it fires is %t", rule.Alert, load, fired)
				}
				query.Close()
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for alert := range untried {
		t.Errorf("there is no alert %s", alert)
	}
	// Of gates of which none is left there is no target, and no series either.
	store := promqltest.LoadedStorage(t, "load 1m\n  up{job=\"other\"} 1x60\n")
	defer store.Close()
	for _, rule := range groups(t).Groups[0].Rules {
		if rule.Alert != "FairwayGateDown" {
			continue
		}
		query, err := engine.NewInstantQuery(t.Context(), store, nil, rule.Expr, time.Unix(1800, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer query.Close()
		if vector, err := query.Exec(t.Context()).Vector(); err != nil || len(vector) == 0 {
			t.Errorf("%s is silent where no gate is left: %v", rule.Alert, err)
		}
	}
}
