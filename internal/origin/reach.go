package origin

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairway-dev/fairway/internal/change"
)

const argoGroup = "argoproj.io"

// Chained reports whether objects of a kind tell an engine what to deliver, and where.
func Chained(group, kind string) bool {
	switch group {
	case argoGroup:
		return kind == "Application" || kind == "ApplicationSet" || kind == "AppProject"
	case fluxKustomizations:
		return kind == "Kustomization"
	case fluxReleases:
		return kind == "HelmRelease"
	}
	return group == fluxSources
}

// Reaches says into which namespaces of this cluster an object can have its engine deliver. Everywhere
// stands for all of them: also where that cannot be told, so that such an object is judged by every tier.
// Chained is false for objects of other kinds, which reach nothing.
//
// An Application reaches the namespace of its destination, though its manifests may name others: what
// arrives there is judged there, whoever brings it.
func Reaches(kind change.Kind, raw []byte) (namespaces []string, everywhere, chained bool) {
	if !Chained(kind.Group, kind.Kind) {
		return nil, false, false
	}
	if kind.Group != argoGroup {
		namespaces, everywhere = fluxReaches(raw)
		return namespaces, everywhere, true
	}
	var object struct {
		Spec struct {
			Destination  argoDestination   `json:"destination"`
			Destinations []argoDestination `json:"destinations"`
			Template     struct {
				Spec struct {
					Destination argoDestination `json:"destination"`
				} `json:"spec"`
			} `json:"template"`
			TemplatePatch string         `json:"templatePatch"`
			Generators    jsontext.Value `json:"generators"`
		} `json:"spec"`
	}
	// This library takes names as they are written, and no name twice, as the API server does: there are
	// no two ways to read the object.
	if json.Unmarshal(raw, &object) != nil {
		return nil, true, true
	}
	spec := object.Spec
	destinations := []argoDestination{spec.Destination}
	switch kind.Kind {
	case "ApplicationSet":
		if spec.TemplatePatch != "" || bytes.Contains(spec.Generators, []byte(`"destination"`)) {
			return nil, true, true // a patch, or the template of a generator, stands above the template
		}
		destinations = []argoDestination{spec.Template.Spec.Destination}
	case "AppProject":
		destinations = spec.Destinations
	}
	for _, d := range destinations {
		if d.elsewhere() {
			continue
		}
		if d.Namespace == "" || strings.ContainsAny(d.Namespace, "*?[]{}!/\\") {
			return nil, true, true // a pattern, a template, or whatever the manifests name
		}
		namespaces = append(namespaces, d.Namespace)
	}
	return namespaces, false, true
}

// argoDestination is where an Application delivers, or what a project allows.
type argoDestination struct {
	Server    string `json:"server"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// elsewhere reports whether the destination is another cluster for sure: patterns, templates and what
// denies may be this one. A project's destination fits by its server or by its name, so where both are
// there both must be of another.
func (d argoDestination) elsewhere() bool {
	if d.Server == "" && d.Name == "" {
		return false
	}
	other := func(s, here string) bool {
		return s == "" || !strings.EqualFold(strings.TrimRight(s, "/"), here) && !strings.ContainsAny(s, "*?[]{}!")
	}
	return other(d.Server, "https://kubernetes.default.svc") && other(d.Name, "in-cluster")
}

// Repeats are the fields of a request's object in which it says again what its own spec says, which asks
// for nothing else: argocd-server names the source of an Application, or its sources, in each sync that it
// starts. Source: Argo CD 3.2, server/application/application.go, Sync.
func Repeats(kind change.Kind, raw []byte) []string {
	if kind.Group != argoGroup || kind.Kind != "Application" {
		return nil
	}
	type sources struct {
		Source  jsontext.Value `json:"source"`
		Sources jsontext.Value `json:"sources"`
	}
	var app struct {
		Spec      sources `json:"spec"`
		Operation struct {
			Sync sources `json:"sync"`
		} `json:"operation"`
	}
	if json.Unmarshal(raw, &app) != nil {
		return nil
	}
	var fields []string
	if sync := app.Operation.Sync; same(app.Spec.Source, sync.Source) {
		fields = append(fields, "operation.sync.source")
	}
	if sync := app.Operation.Sync; same(app.Spec.Sources, sync.Sources) {
		fields = append(fields, "operation.sync.sources")
	}
	return fields
}

// same reports whether two values that are there are the same.
func same(a, b jsontext.Value) bool {
	return len(a) > 0 && a.Canonicalize() == nil && b.Canonicalize() == nil && bytes.Equal(a, b)
}
