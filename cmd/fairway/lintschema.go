package main

import (
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	manifests "github.com/fairway-dev/fairway/config"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/schema"
	"github.com/fairway-dev/fairway/internal/store"
)

// misfits names what an API server would refuse in the kinds: files are read without one, and a word that no field
// knows is judged by as the strictest there is.
func misfits(k store.Kinds) ([]cli.Problem, error) {
	defined := map[string]*apiextensionsv1.CustomResourceDefinition{}
	files, err := fs.Glob(manifests.CRDs(), "crd/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := fs.ReadFile(manifests.CRDs(), name)
		if err != nil {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		defined[crd.Spec.Names.Kind] = crd
	}
	var problems []cli.Problem
	for _, each := range []func() ([]cli.Problem, error){
		func() ([]cli.Problem, error) { return misfitsOf(defined["EnvironmentTier"], "tier", k.Tiers) },
		func() ([]cli.Problem, error) { return misfitsOf(defined["TierBinding"], "binding", k.Bindings) },
		func() ([]cli.Problem, error) { return misfitsOf(defined["Team"], "team", k.Teams) },
		func() ([]cli.Problem, error) { return misfitsOf(defined["Repository"], "repository", k.Repositories) },
	} {
		found, err := each()
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

func misfitsOf[T any, P interface {
	*T
	metav1.Object
}](crd *apiextensionsv1.CustomResourceDefinition, word string, objects []T) ([]cli.Problem, error) {
	var problems []cli.Problem
	for i := range objects {
		o := P(&objects[i])
		found, err := schema.Misfits(crd, o)
		if err != nil {
			return nil, err
		}
		where := word + " " + o.GetName()
		if o.GetNamespace() != "" {
			where = word + " " + o.GetNamespace() + "/" + o.GetName()
		}
		for _, text := range found {
			problems = append(problems, cli.Problem{Where: where, Kind: "Misfit", Text: text})
		}
	}
	return problems, nil
}
