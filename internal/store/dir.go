package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// ReadDir reads Fairway's kinds, Namespaces and CustomResourceDefinitions from the YAML files in a
// directory and those below it. Every document must be one of these kinds, with no field that the
// kind does not have, and no object may be given twice. Other files are passed over.
//
// A Namespace without a UID gets "dir:" and its name for one, so that statements can be bound to it.
func ReadDir(dir string) (Kinds, error) {
	var k Kinds
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(path); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		raw, err := os.ReadFile(path) //nolint:gosec // the directory is the operator's
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			name = path
		}
		return k.addFile(name, raw, seen)
	})
	if err != nil {
		return Kinds{}, fmt.Errorf("reading %q: %w", dir, err)
	}
	return k, nil
}

func (k *Kinds) addFile(name string, raw []byte, seen map[string]string) error {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for i := 1; ; i++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: document %d: %w", name, i, err)
		}
		if len(strings.TrimSpace(string(doc))) == 0 {
			continue
		}
		id, err := k.add(doc)
		if err != nil {
			return fmt.Errorf("%s: document %d: %w", name, i, err)
		}
		if first, twice := seen[id]; twice && id != "" {
			return fmt.Errorf("%s: document %d: %s stands in %s too", name, i, id, first)
		}
		seen[id] = name
	}
}

// add decodes one document. The identity is empty for a document that is only comments.
func (k *Kinds) add(doc []byte) (string, error) {
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return "", err
	}
	if head.Kind == "" && head.APIVersion == "" && head.Name == "" {
		return "", nil
	}
	if head.Name == "" {
		return "", fmt.Errorf("%s %s has no metadata.name", head.APIVersion, head.Kind)
	}
	var err error
	switch head.APIVersion + " " + head.Kind {
	case v1alpha1.GroupVersion.String() + " EnvironmentTier":
		k.Tiers, err = decode(k.Tiers, doc)
	case v1alpha1.GroupVersion.String() + " TierBinding":
		k.Bindings, err = decode(k.Bindings, doc)
	case v1alpha1.GroupVersion.String() + " Team":
		k.Teams, err = decode(k.Teams, doc)
	case v1alpha1.GroupVersion.String() + " Repository":
		k.Repositories, err = decode(k.Repositories, doc)
	case v1alpha1.GroupVersion.String() + " BreakGlass":
		k.BreakGlasses, err = decode(k.BreakGlasses, doc)
	case "v1 Namespace":
		if k.Namespaces, err = decode(k.Namespaces, doc); err == nil {
			nameNamespace(&k.Namespaces[len(k.Namespaces)-1])
		}
	case "apiextensions.k8s.io/v1 CustomResourceDefinition":
		k.CRDs, err = decode(k.CRDs, doc)
	default:
		return "", fmt.Errorf("%s %s is no kind that Fairway reads", head.APIVersion, head.Kind)
	}
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", head.Kind, head.Name, err)
	}
	return head.Kind + " " + strings.TrimPrefix(head.Namespace+"/"+head.Name, "/"), nil
}

func decode[T any](to []T, doc []byte) ([]T, error) {
	var v T
	if err := yaml.UnmarshalStrict(doc, &v); err != nil {
		return to, err
	}
	return append(to, v), nil
}

func nameNamespace(ns *corev1.Namespace) {
	if ns.UID == "" {
		ns.UID = types.UID("dir:" + ns.Name)
	}
}
