package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// lab is a whole Fairway in this process, on a real repository: requests go through the HTTP front,
// the gate and the judge; commits through git, the keyring, the renderer and the judge. Only the
// keeper's timing is taken out: a test says when a repository is looked at.
type lab struct {
	t      testing.TB
	shop   *story.Shop
	in     *dirInstall
	server *story.Server
	front  http.Handler
}

func newLab(t testing.TB) *lab {
	t.Helper()
	shop, err := story.NewShop(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return labOf(t, shop)
}

// labOf is a Fairway that starts on a shop, with whatever state an earlier one left there.
func labOf(t testing.TB, shop *story.Shop, adjust ...func(*dirInstall)) *lab {
	t.Helper()
	in, err := newDirInstall(cli.ServeOptions{
		Dir: shop.World(""), Namespace: "fairway-system", StateDir: filepath.Join(shop.Dir, "state"), Interval: time.Hour,
	}, testr.NewWithInterface(t, testr.Options{}), newObserver(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range adjust {
		a(in)
	}
	l := &lab{t: t, shop: shop, in: in, server: story.NewServer(), front: webhook.New(in.gate, webhook.Options{}).Handler()}
	t.Cleanup(l.stop)
	l.look()
	return l
}

// stop closes what the install holds open.
func (l *lab) stop() {
	for name, m := range l.in.mirrors.open {
		if err := m.Close(); err != nil {
			l.t.Error(err)
		}
		delete(l.in.mirrors.open, name)
	}
}

// restart is Fairway started anew on the same folders.
func (l *lab) restart(adjust ...func(*dirInstall)) *lab {
	l.t.Helper()
	l.stop()
	return labOf(l.t, l.shop, adjust...)
}

// look reads the world again and has every source proven, as the keeper does in time.
func (l *lab) look() {
	l.t.Helper()
	if err := l.in.directory.load(); err != nil {
		l.t.Fatal(err)
	}
	ctx, world := l.t.Context(), l.in.directory.state.World()
	for name, repository := range world.Repositories {
		rooms, err := l.in.mirrors.Open(ctx, repository, world)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, work := range prover.Works(world, name) {
			work.Known, work.Delivered = l.in.directory.shelf.Known(work.Key())
			results, err := prover.Prove(ctx, rooms, work, time.Now())
			if err != nil {
				l.t.Fatal(err)
			}
			for _, r := range results {
				if err := l.in.directory.shelf.Put(ctx, work.Key(), []change.Proof{r.Proof}, nil); err != nil {
					l.t.Fatal(err)
				}
			}
		}
	}
}

// edit changes a file of the world; the next look reads it.
func (l *lab) edit(name, old, replacement string) {
	l.t.Helper()
	raw, err := os.ReadFile(l.shop.World(name))
	if err != nil {
		l.t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		l.t.Fatalf("%s does not hold %q", name, old)
	}
	l.write(name, strings.ReplaceAll(string(raw), old, replacement))
}

func (l *lab) write(name, content string) {
	l.t.Helper()
	if err := os.WriteFile(l.shop.World(name), []byte(content), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// land merges a change into main; everybody named approves it.
func (l *lab) land(author string, files map[string]string, approvers ...string) (merge string) {
	l.t.Helper()
	merge, head, err := l.shop.Land(l.t.Context(), author, message, files)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, who := range approvers {
		l.approve(who, head)
	}
	return merge
}

func (l *lab) push(author string, files map[string]string) (commit string) {
	l.t.Helper()
	commit, err := l.shop.Push(l.t.Context(), author, true, message, files)
	if err != nil {
		l.t.Fatal(err)
	}
	return commit
}

// approve runs what `fairway approve` runs, in the clone.
func (l *lab) approve(who, revision string, adjust ...func(*cli.ApproveOptions)) {
	l.t.Helper()
	l.fetch()
	o := cli.ApproveOptions{
		Dir: l.shop.Clone(), Revision: revision, Repository: l.shop.Repo.URL(), Branch: "main", Remote: "origin",
		Key: l.shop.Key(who), As: who,
	}
	for _, c := range adjust {
		c(&o)
	}
	if _, err := approve(l.t.Context(), o); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) fetch() {
	l.t.Helper()
	if err := l.shop.Fetch(context.WithoutCancel(l.t.Context())); err != nil {
		l.t.Fatal(err)
	}
}

// apply is a server-side apply by the pipeline, stamped with a commit.
func (l *lab) apply(manifest, commit string) story.Write {
	l.t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		l.t.Fatal(err)
	}
	meta, _ := object["metadata"].(map[string]any)
	meta["annotations"] = map[string]any{"fairway.dev/repository": "apps", "fairway.dev/commit": commit, "fairway.dev/source": "shop"}
	stamped, err := yaml.Marshal(object)
	if err != nil {
		l.t.Fatal(err)
	}
	return story.Write{Object: string(stamped), User: "deployer", Manager: "deployer", Apply: true}
}

// admits sends a write and fails the test unless it is admitted on the lane.
func (l *lab) admits(lane string, w story.Write) {
	l.t.Helper()
	answer, keep := l.try(w)
	if !answer.Allowed || answer.AuditAnnotations["lane"] != lane {
		l.t.Fatalf("allowed %v on lane %q, want lane %q: %s", answer.Allowed, answer.AuditAnnotations["lane"], lane, said(answer))
	}
	if !w.DryRun {
		keep()
	}
}

// refuses sends a write and fails the test unless it is refused, with these words in the message.
func (l *lab) refuses(code int32, w story.Write, words ...string) {
	l.t.Helper()
	answer, _ := l.try(w)
	if answer.Allowed {
		l.t.Fatalf("admitted on lane %q", answer.AuditAnnotations["lane"])
	}
	if answer.Result.Code != code {
		l.t.Errorf("refused with code %d, want %d: %s", answer.Result.Code, code, said(answer))
	}
	for _, word := range words {
		if !strings.Contains(said(answer), word) {
			l.t.Errorf("the refusal does not say %q: %s", word, said(answer))
		}
	}
}

func said(a *admissionv1.AdmissionResponse) string {
	if a.Result == nil {
		return ""
	}
	return a.Result.Message
}

func (l *lab) try(w story.Write) (*admissionv1.AdmissionResponse, func()) {
	l.t.Helper()
	review, keep, err := l.server.Try(w)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.ask(review), keep
}

// ask sends a review to the front.
func (l *lab) ask(review *admissionv1.AdmissionReview) *admissionv1.AdmissionResponse {
	l.t.Helper()
	body, err := json.Marshal(review)
	if err != nil {
		l.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, "/validate?timeout=5s", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	l.front.ServeHTTP(recorder, request)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		l.t.Fatalf("status %d, body %q: %v", recorder.Code, recorder.Body, err)
	}
	return answer.Response
}
