package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// realModules names the modules of other projects whose manifests are delivered.
const realModules = "testdata/real/modules.txt"

// realManifest is one document of another project.
type realManifest struct {
	module string // without the version
	object map[string]any
}

// realCorpus are the documents of all modules that differ in more than their names, in the order in which they
// are named, and how many were left out for which reason.
type realCorpus struct {
	all     []realManifest
	dropped map[string]int
}

// readRealCorpus downloads the modules that are not in the module cache, and reads every YAML file in them.
func readRealCorpus(ctx context.Context) (*realCorpus, error) {
	list, err := os.ReadFile(realModules)
	if err != nil {
		return nil, err
	}
	c, seen := &realCorpus{dropped: map[string]int{}}, map[[sha256.Size]byte]bool{}
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: %q is no module, version and checksum", realModules, line)
		}
		folder, err := moduleFolder(ctx, fields[0], fields[1], fields[2])
		if err != nil {
			return nil, err
		}
		if err := c.read(fields[0], folder, seen); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// moduleFolder downloads a module, holds it against the checksum and returns where it lies.
func moduleFolder(ctx context.Context, path, version, sum string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path+"@"+version)
	// Outside every module, so that nothing but this one is looked at. The checksum is held here.
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOSUMDB=off", "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if parse := json.Unmarshal(out, &got); parse != nil || err != nil || got.Error != "" {
		return "", fmt.Errorf("downloading %s %s: %w: %s", path, version, errors.Join(err, parse), got.Error)
	}
	if got.Sum != sum {
		return "", fmt.Errorf("downloading %s %s: the checksum is %s, want %s", path, version, got.Sum, sum)
	}
	return got.Dir, nil
}

// read adds the documents of a module.
func (c *realCorpus) read(module, folder string, seen map[[sha256.Size]byte]bool) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			text, err := reader.Read()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
			c.add(module, text, seen)
		}
	})
}

// add adds a document, or notes why not.
func (c *realCorpus) add(module string, text []byte, seen map[[sha256.Size]byte]bool) {
	raw, err := yaml.YAMLToJSON(text)
	var m map[string]any
	if err == nil {
		err = utiljson.Unmarshal(raw, &m)
	}
	if err != nil {
		why := "not YAML of an object"
		if bytes.Contains(text, []byte("{{")) {
			why = "a template"
		}
		c.dropped[why]++
		return
	}
	items, isList := m["items"].([]any)
	if kind, _ := m["kind"].(string); isList && strings.HasSuffix(kind, "List") {
		for _, i := range items {
			if item, ok := i.(map[string]any); ok {
				c.addObject(module, item, seen)
			}
		}
		return
	}
	c.addObject(module, m, seen)
}

func (c *realCorpus) addObject(module string, m map[string]any, seen map[[sha256.Size]byte]bool) {
	version, _ := m["apiVersion"].(string)
	kind, _ := m["kind"].(string)
	meta, _ := m["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	switch {
	case len(m) == 0:
		return // between two separators
	case version == "" || kind == "":
		c.dropped["no object of Kubernetes, such as values of a chart"]++
		return
	case name == "":
		c.dropped["without a name, which no apply can send"]++
		return
	}
	said := runtime.DeepCopyJSON(m)
	unstructured.RemoveNestedField(said, "metadata", "name")
	unstructured.RemoveNestedField(said, "metadata", "namespace")
	raw, err := json.Marshal(said) // sorts the keys
	if err != nil {
		c.dropped["not JSON"]++
		return
	}
	if sum := sha256.Sum256(raw); seen[sum] {
		c.dropped["says what another says, but for its name"]++
	} else {
		seen[sum] = true
		c.all = append(c.all, realManifest{module, m})
	}
}

// sampled is every third manifest, and each definition of a custom kind; FAIRWAY_REAL=all takes all.
func sampled(all []realManifest) (out []realManifest) {
	if os.Getenv("FAIRWAY_REAL") == "all" {
		return all
	}
	for i, m := range all {
		if i%3 == 0 || m.object["kind"] == "CustomResourceDefinition" {
			out = append(out, m)
		}
	}
	return out
}

// unbindable says of what docs/binding.md lists as refused why it is; empty: it must be bound.
func unbindable(u *unstructured.Unstructured) string {
	switch gk := u.GroupVersionKind().GroupKind(); {
	case gk.String() == "Node":
		return "a Node, which the API server taints"
	case gk.String() == "CertificateSigningRequest.certificates.k8s.io":
		return "a CertificateSigningRequest, whose content nobody owns"
	case gk.String() == "Pod" && strings.Contains(fmt.Sprint(u.GetAnnotations()), "container.apparmor.security.beta.kubernetes.io/"):
		return "a Pod with an annotation that the API server makes a field of"
	}
	return ""
}

// outcomes counts by name, from several goroutines.
type outcomes struct {
	mu     sync.Mutex
	counts map[string]int
}

func newOutcomes() *outcomes { return &outcomes{counts: map[string]int{}} }

func (t *outcomes) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

// String lists what was counted, the most frequent first.
func (t *outcomes) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int {
		if t.counts[a] != t.counts[b] {
			return t.counts[b] - t.counts[a]
		}
		return strings.Compare(a, b)
	})
	var text strings.Builder
	for _, n := range names {
		fmt.Fprintf(&text, "\n%6d %s", t.counts[n], n)
	}
	return text.String()
}
