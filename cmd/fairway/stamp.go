package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/origin"
)

// stamp writes on each manifest where it comes from.
func stamp(ctx context.Context, o cli.StampOptions) ([]byte, error) {
	repo, err := openClone(ctx, o.Clone)
	if err != nil {
		return nil, err
	}
	defer func() { _ = repo.Close() }()
	commit, err := repo.Resolve(ctx, o.Revision)
	if err != nil {
		return nil, unknownName(o.Revision, err)
	}
	var out bytes.Buffer
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(o.Manifests)))
	for n := 1; ; n++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		stamped, err := stampDocument(doc, o, commit)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(stamped) > 0 {
			out.WriteString("---\n")
			out.Write(stamped)
		}
	}
}

// stampDocument stamps one document, or each item of a List. One of comments alone is left out.
func stampDocument(doc []byte, o cli.StampOptions, commit string) ([]byte, error) {
	var object map[string]any
	if err := yaml.UnmarshalStrict(doc, &object); err != nil {
		return nil, err
	}
	if len(object) == 0 {
		return nil, nil
	}
	objects := []map[string]any{object}
	if items, isList := object["items"].([]any); isList {
		objects = nil
		for _, item := range items {
			m, ok := item.(map[string]any)
			if !ok {
				return nil, errors.New("an item of the list is no object")
			}
			objects = append(objects, m)
		}
	}
	for _, m := range objects {
		if err := origin.Stamp(m, o.Repository, commit, o.Source); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(object)
}
