package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// maxValues is how many values a place may have before it is one that the server chooses freely.
const maxValues = 4

// chosen are places whose value no constant can say, with the reason: the server's free choice, what
// depends on how a cluster is set up, or, with a sibling's name, a copy of that sibling. What lies
// below is covered as well.
var chosen = []struct {
	kind, pattern, like, why string
}{
	{"v1/Service", "spec.clusterIP", "", "allocated"},
	{"v1/Service", "spec.clusterIPs", "", "allocated"},
	{"v1/Service", "spec.ipFamilies", "", "depends on the cluster's addresses"},
	{"v1/Service", "spec.ipFamilyPolicy", "", "depends on the cluster's addresses"},
	{"v1/Service", "spec.ports[*].nodePort", "", "allocated"},
	{"v1/Service", "spec.ports[*].targetPort", "port", "the port where none is named"},
	{"v1/Service", "spec.healthCheckNodePort", "", "allocated"},
	{"v1/PersistentVolumeClaim", "spec.storageClassName", "", "the cluster's default class"},
	{"v1/PersistentVolumeClaim", "spec.dataSource", "dataSourceRef", "mirrors it"},
	{"v1/PersistentVolumeClaim", "spec.dataSourceRef", "dataSource", "mirrors it"},
	{"v1/ReplicationController", "metadata.labels", "", "those of the template"},
	{"v1/ReplicationController", "spec.selector", "", "the labels of the template"},
	{"v1/Pod", "spec.priority", "", "of the priority class"},
	{"v1/Pod", "spec.containers[*].ports[*].hostPort", "containerPort", "in the host's network"},
	{"v1/Pod", "spec.initContainers[*].ports[*].hostPort", "containerPort", "in the host's network"},
	{"v1/Pod", "spec.containers[*].resources.requests", "", "the limits where none is named"},
	{"v1/Pod", "spec.initContainers[*].resources.requests", "", "the limits where none is named"},
	{"v1/Pod", "spec.resources.requests", "", "the limits where none is named"},
	{"networking.k8s.io/Ingress", "spec.ingressClassName", "", "the cluster's default class"},
	{"batch/Job", "metadata.labels", "", "those of the template, with the UID"},
	{"batch/Job", "spec.selector", "", "made from the UID"},
	{"apps/DaemonSet", `metadata.annotations["deprecated.daemonset.template.generation"]`, "", "a counter"},
	{"apiextensions.k8s.io/CustomResourceDefinition", "spec.names.singular", "", "made from the kind"},
	{"apiextensions.k8s.io/CustomResourceDefinition", "spec.names.listKind", "", "made from the kind"},
	{"resource.k8s.io/DeviceTaintRule", "spec.taint.timeAdded", "", "the time"},
	{"certificates.k8s.io/CertificateSigningRequest", "spec.username", "", "who asks"},
	{"certificates.k8s.io/CertificateSigningRequest", "spec.uid", "", "who asks"},
	{"certificates.k8s.io/CertificateSigningRequest", "spec.groups", "", "who asks"},
	{"certificates.k8s.io/CertificateSigningRequest", "spec.extra", "", "who asks"},
}

// serviceAccount is a deprecated copy of serviceAccountName, wherever a pod spec is, and the other
// way round.
var serviceAccount = regexp.MustCompile(`^(.*[.])serviceAccount(Name)?$`)

// split are lists whose items have different defaults, by the field that tells them apart.
var split = map[string]string{
	"rbac.authorization.k8s.io/RoleBinding subjects":        "kind",
	"rbac.authorization.k8s.io/ClusterRoleBinding subjects": "kind",
}

// derived are defaults inside owned lists that are copies of other fields; the canonical form of
// the kind makes them (package schema), so they are none of the table's.
var derived = regexp.MustCompile(`^v1/LimitRange spec\.limits\[\*\]\.default(Request)?$|` +
	`^resource\.k8s\.io/ResourceClaim(Template)? .*\.(exactly|firstAvailable\[\*\])\.count$`)

// generic replaces the random end of a generated name.
func generic(name string) string {
	if strings.HasPrefix(name, "kube-api-access-") {
		return "kube-api-access-*"
	}
	return name
}

// surveyed is what a server adds: asked twice, so that what it makes up shows.
type surveyed struct {
	srv           *server
	corpus        []map[string]any
	version       string
	first, second *survey
	refused       []error
}

func ask(ctx context.Context, cfg *rest.Config, corpus []map[string]any) (*surveyed, error) {
	srv, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	s := &surveyed{srv: srv, corpus: corpus, version: srv.version, first: &survey{places: map[[2]string]*place{}}, second: &survey{places: map[[2]string]*place{}}}
	for i, m := range corpus {
		for round, into := range []*survey{s.first, s.second} {
			p, err := srv.apply(ctx, named(m, i, round), "default")
			if err != nil {
				s.refused = append(s.refused, fmt.Errorf("manifest %d: %w", i, err))
				break
			}
			into.object(p)
		}
	}
	return s, nil
}

// table is the text of the table, for a server that takes the whole corpus.
func (s *surveyed) table() (string, error) {
	if err := errors.Join(s.refused...); err != nil {
		return "", err
	}
	slices.Sort(s.first.noise)
	for _, n := range slices.Compact(s.first.noise) {
		fmt.Fprintln(os.Stderr, "note:", n)
	}
	lines, err := merge(s.first, s.second)
	if err != nil {
		return "", err
	}
	return header(s.version, len(s.corpus)) + strings.Join(lines, "\n") + "\n", nil
}

// named is m under another name in each round, where its kind leaves the name open.
func named(m map[string]any, i, round int) map[string]any {
	m = runtime.DeepCopyJSON(m)
	u := &unstructured.Unstructured{Object: m}
	if u.GetName() == "x" {
		u.SetName(fmt.Sprintf("x%d-%d", i, round))
	}
	return m
}

func merge(first, second *survey) ([]string, error) {
	var lines []string
	for k, p := range first.places {
		if len(p.values) == 0 {
			continue
		}
		q := second.places[k]
		p.varies = q == nil || !slices.Equal(sortedKeys(p.values), sortedKeys(q.values))
		if covered(p) {
			continue
		}
		line, err := p.line()
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	for _, c := range chosen {
		mark := "any"
		if c.like != "" {
			mark = "like\t" + strconv.Quote(c.like)
		}
		lines = append(lines, c.kind+"\t"+c.pattern+"\t"+mark)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// covered reports whether p needs no line of its own.
func covered(p *place) bool {
	if derived.MatchString(p.kind + " " + p.pattern) {
		return true
	}
	for _, c := range chosen {
		if c.kind == p.kind && (p.pattern == c.pattern || strings.HasPrefix(p.pattern, c.pattern+".") || strings.HasPrefix(p.pattern, c.pattern+"[")) {
			return true
		}
	}
	return false
}

func (p *place) line() (string, error) {
	values, at := sortedKeys(p.values), p.kind+"\t"+p.pattern+"\t"
	if m := serviceAccount.FindStringSubmatch(p.pattern); m != nil {
		if m[2] == "" {
			return at + "like\t\"serviceAccountName\"", nil
		}
		return at + "like\t\"serviceAccount\"\t" + `"default"`, nil
	}
	switch {
	case p.varies:
		return at + "any", nil
	case len(values) > maxValues:
		return "", fmt.Errorf("%s %s: %d values; say why it varies in the list of chosen places", p.kind, p.pattern, len(values))
	}
	mark := "some"
	if len(values) == 1 && p.absent == 0 && !strings.HasSuffix(p.pattern, "]") {
		// Not for an item of a list: in a list without it, nothing says that it would be added.
		mark = "always"
	}
	return at + mark + "\t" + strings.Join(values, "\t"), nil
}

func sortedKeys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func header(version string, n int) string {
	return fmt.Sprintf(`# What the API server adds to an object. Generated by hack/defaults from kube-apiserver %s
# with %d manifests; do not edit. The format is described in defaults.go.
`, version, n)
}
