// Command defaults writes canon's table of what the API server itself adds to an object: the fields
// that nobody owns after a server-side apply, and those that it fills in inside lists and maps that
// are owned as a whole (ruling 18).
//
// It applies every manifest of its corpus to a real API server, dry run, and compares what it sent
// with what came back. Nothing is taken from documentation. It needs the control plane of
// hack/controlplane, and fails when a manifest is refused or a default cannot be told apart from
// noise.
//
//	go run ./hack/defaults          # write the table
//	go run ./hack/defaults -check   # fail if the table would change
//
// FAIRWAY_KUBERNETES=1.35 with -check asks an older API server whether the table holds for it as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

const tablePath = "internal/canon/defaults.txt"

func main() {
	check := flag.Bool("check", false, "write nothing, fail if the table would change")
	root := flag.String("root", ".", "the repository's root")
	flag.Parse()
	if err := run(context.Background(), *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "defaults:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, check bool) error {
	cluster, err := controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	corpus, err := readCorpus(filepath.Join(root, "hack/defaults/corpus"))
	if err != nil {
		return err
	}
	found, err := ask(ctx, cluster.Config, corpus)
	if err != nil {
		return err
	}
	path := filepath.Join(root, tablePath)
	if minor := os.Getenv("FAIRWAY_KUBERNETES"); minor != "" {
		if !check {
			return fmt.Errorf("the table is made from the newest API server, not from %s: use -check", minor)
		}
		return found.holds(ctx, path)
	}
	table, err := found.table()
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(path, []byte(table), 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(have) != table {
		return fmt.Errorf("%s is not what the API server does; run: go run ./hack/defaults", tablePath)
	}
	return nil
}
