package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// lint finds what is not in force and what nobody can meet.
func lint(ctx context.Context, o cli.LintOptions) ([]cli.Problem, error) {
	kinds, err := readKinds(ctx, o.Dir, o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if len(kinds.Tiers)+len(kinds.Bindings) == 0 {
		return nil, mistaken(fmt.Errorf("there is no tier and no binding%s, so there is nothing to find", in(o.Dir)))
	}
	world := store.Compile(kinds, store.Settings{Namespace: o.Own, Sealed: true}, nil)
	problems := []cli.Problem{}
	wrong, err := misfits(kinds)
	if err != nil {
		return nil, err
	}
	problems = append(problems, wrong...)
	for _, text := range world.Problems {
		problems = append(problems, cli.Problem{Kind: "NotInForce", Text: text})
	}
	_, keys := signature.NewKeyring(world.People)
	for _, text := range keys {
		problems = append(problems, cli.Problem{Kind: "Key", Text: text})
	}
	problems = append(problems, unknownTeams(kinds)...)
	for _, namespace := range slices.Sorted(maps.Keys(world.Bindings)) {
		b := world.Bindings[namespace]
		t, _ := world.Tier(namespace)
		problems = append(problems, lintBinding(world, t, b)...)
	}
	if t, b := world.ClusterTier(); b != nil {
		problems = append(problems, lintBinding(world, t, *b)...)
	}
	return problems, nil
}

// unknownTeams names the teams that tiers and bindings speak of and that there are not: nobody is in them.
func unknownTeams(k store.Kinds) []cli.Problem {
	teams := map[string]bool{}
	for _, t := range k.Teams {
		teams[t.Name] = true
	}
	var problems []cli.Problem
	look := func(where, field string, named []string) {
		for _, name := range named {
			if !teams[name] {
				problems = append(problems, cli.Problem{Where: where, Kind: "UnknownTeam", Text: fmt.Sprintf("%s names team %q, which does not exist", field, name)})
			}
		}
	}
	for _, b := range k.Bindings {
		look("binding "+b.Namespace+"/"+b.Name, "owners", b.Spec.Owners)
	}
	for _, t := range k.Tiers {
		for _, a := range t.Spec.Approvals {
			look("tier "+t.Name, fmt.Sprintf("approval %q", a.Name), a.Teams)
		}
	}
	return problems
}

// in is where a directory's kinds were looked for.
func in(dir string) string {
	if dir == "" {
		return ""
	}
	return fmt.Sprintf(" in the *.yaml files of %q", dir)
}

func lintBinding(world *tier.World, t tier.Tier, b tier.Binding) []cli.Problem {
	if t.Lane == tier.Open {
		return nil
	}
	var problems []cli.Problem
	where := fmt.Sprintf("namespace %s, tier %s", b.Namespace, t.Name)
	for _, p := range slices.Concat(policy.Satisfiable(t, b, world.People), policy.Exits(t, world.People)) {
		problems = append(problems, cli.Problem{
			Where: where, Kind: string(p.Kind), Warning: p.Kind != policy.Unsatisfiable && p.Kind != policy.ClosedExit, Text: p.String(),
		})
	}
	for _, s := range b.Sources {
		r := world.Repositories[s.Repository]
		if r.Name != "" && r.Baseline == "" {
			problems = append(problems, cli.Problem{Where: where, Kind: "NoBaseline", Text: fmt.Sprintf(
				"repository %q has no baseline, so nothing can be covered; set spec.baseline to the commit before which history is accepted", r.Name)})
		}
		if r.Name != "" && !slices.Contains(r.Branches, s.Branch) {
			problems = append(problems, cli.Problem{Where: where, Kind: "UnprotectedBranch", Text: fmt.Sprintf(
				"source %q comes from branch %q, which repository %q does not list as protected", s.Name, s.Branch, r.Name)})
		}
	}
	return problems
}
