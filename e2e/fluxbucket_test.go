package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// startRegistry starts a registry on loopback, which holds an artifact of the lamp.
func (l *fluxLab) startRegistry() {
	l.t.Helper()
	l.registry = l.freeAddress()
	program, err := l.cluster.Run(l.crane(), "registry", "serve", "--address", l.registry)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := program.Await(l.t.Context(), func(ctx context.Context) error { return answers(ctx, "http://"+l.registry+"/v2/") }); err != nil {
		l.t.Fatal(err)
	}
	l.push("nothing", map[string]string{"lamp.yaml": lampOf("dark")})
}

// crane is a client of registries, and a registry.
func (l *fluxLab) crane() string {
	l.t.Helper()
	tools, err := controlplane.Built(l.t.Context(), "cosign")
	if err != nil {
		l.t.Fatal(err)
	}
	return filepath.Join(tools, "crane")
}

// archived are files as a tar archive.
func archived(files map[string]string) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

// push makes an artifact of some files, which says of which commit it was made, as `flux push artifact` does.
func (l *fluxLab) push(commit string, files map[string]string) {
	l.t.Helper()
	archive, err := archived(files)
	file := filepath.Join(l.dir, "artifact.tar")
	if err := errors.Join(err, os.WriteFile(file, archive, 0o600)); err != nil {
		l.t.Fatal(err)
	}
	for _, args := range [][]string{
		{"append", "--oci-empty-base", "-f", file, "-t", l.registry + "/shop:next"},
		{"mutate", l.registry + "/shop:next", "--annotation", "org.opencontainers.image.revision=main@sha1:" + commit, "-t", l.registry + "/shop:latest"},
	} {
		if out, err := exec.CommandContext(l.t.Context(), l.crane(), args...).CombinedOutput(); err != nil {
			l.t.Fatalf("pushing an artifact: %v\n%s", err, out)
		}
	}
}

// bucket is one of an object store, in as much of S3's protocol as source-controller asks for.
type bucket struct {
	mu    sync.Mutex
	files map[string]string
}

// put replaces what the bucket holds.
func (b *bucket) put(files map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files = files
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tag := func(name string) string { return fmt.Sprintf("\"%x\"", md5.Sum([]byte(b.files[name]))) }
	_, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch text, ok := b.files[name]; {
	case r.URL.Query().Has("location"):
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case name == "":
		fmt.Fprint(w, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>`)
		for _, name := range slices.Sorted(maps.Keys(b.files)) {
			fmt.Fprintf(w, `<Contents><Key>%s</Key><LastModified>2026-11-27T00:00:00.000Z</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>`, name, tag(name), len(b.files[name]))
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
	default:
		w.Header().Set("ETag", tag(name))
		http.ServeContent(w, r, name, time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC), strings.NewReader(text))
	}
}

// external serves an artifact that some other controller made, and tells kustomize-controller of it.
func (l *fluxLab) external(files map[string]string) {
	l.t.Helper()
	archive, err := archived(files)
	if err != nil {
		l.t.Fatal(err)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(archive); err != nil {
		l.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		l.t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(zipped.Bytes()) }))
	l.t.Cleanup(server.Close)
	sum := fmt.Sprintf("%x", sha256.Sum256(zipped.Bytes()))
	object := manifest(l.t, reference("source.toolkit.fluxcd.io/v1", "ExternalArtifact", "flux-system", "made"))
	body := fmt.Sprintf(`{"status": {"artifact": {"url": %q, "path": "made.tar.gz", "revision": "latest@sha256:%s", "digest": "sha256:%s", "lastUpdateTime": %q},
"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "made", "lastTransitionTime": %q}]}}`,
		server.URL+"/made.tar.gz", sum, sum, time.Now().UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	for _, user := range []string{"sara", sourceController} {
		err := l.patchStatus(user, object, body)
		if user == "sara" {
			l.refused(err, "written by the engines")
		} else {
			l.admitted(err)
		}
	}
}
