package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// versionBefore is the number under which the version before is installed; nothing was released yet.
const versionBefore = "0.0.9"

// oldRole is an object of the cluster that the chart has no more.
const oldRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fairway-old}
rules:
  - apiGroups: [""]
    resources: [nodes]
    verbs: [list]
`

// before makes a chart of the version before and has the kubelet run that version's program: both as they
// were at the commit that hack/previous names. Where the clone does not reach back that far they are those
// of this tree, and the test says so. Either way the number is older, a kind is different, and there is an
// object that is no more.
func (l *lab) before() string {
	l.t.Helper()
	built, err := controlplane.Built(l.t.Context(), "previous")
	if err != nil {
		l.t.Fatal(err)
	}
	from := chartFolder
	if built == "" {
		l.t.Log("this clone's history is too short: the version before is this tree under an older number")
	} else {
		from, l.kubelet.older = filepath.Join(built, "chart"), filepath.Join(built, "fairway")
	}
	chart := filepath.Join(l.t.TempDir(), "before")
	if err := os.CopyFS(chart, os.DirFS(from)); err != nil {
		l.t.Fatal(err)
	}
	rewrite(l.t, filepath.Join(chart, "Chart.yaml"), chartVersion(l.t, chart), versionBefore)
	rewrite(l.t, filepath.Join(chart, "files/crds/fairway.dev_teams.yaml"), "    - fairway\n", "    - before\n")
	if err := os.WriteFile(filepath.Join(chart, "templates/old.yaml"), []byte(oldRole), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return chart
}

// chartVersion is that of the chart in a folder.
func chartVersion(t *testing.T, chart string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "version: "); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("the chart in %s has no version", chart)
	return ""
}

// rewrite replaces what must be there in a file.
func rewrite(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s does not say %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files are those of a folder, by their path in a repository where the folder has a place.
func files(t *testing.T, folder, place string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		all[place+"/"+filepath.ToSlash(relative)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
