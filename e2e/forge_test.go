package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/gitea"
	"github.com/fairway-dev/fairway/e2e/story"
)

// forgeRepository is the shop's repository on the forge.
const forgeRepository = gitea.Admin + "/apps"

// forgeLab is a cluster whose production takes reviews from a real Gitea, which tells of them by its
// webhooks. Fairway polls once an hour, so whatever happens sooner was told.
type forgeLab struct {
	*serveLab
	forge *gitea.Server
	hooks string // address of Fairway's door for webhooks
}

func newForgeLab(t *testing.T) *forgeLab {
	t.Helper()
	server, err := gitea.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() }) // one that was halted says so
	f := &forgeLab{forge: server}
	f.serveLab = newServeLabBy(t, func(l *serveLab) {
		f.serveLab = l
		f.stage()
		l.serve()
	})
	f.edit("repository.yaml", "pollInterval: 10s", "pollInterval: 1h")
	f.world("repository.yaml")
	return f
}

// stage makes the people and the repository on the forge, and lets the world name them.
func (f *forgeLab) stage() {
	f.t.Helper()
	ctx := f.t.Context()
	for _, who := range []string{"sara", "sam", "paula", "pete"} {
		if err := f.forge.AddUser(ctx, who); err != nil {
			f.t.Fatal(err)
		}
		f.edit("teams.yaml", "  - name: "+who+"\n", fmt.Sprintf("  - name: %s\n    accounts: [{forge: Gitea, host: %q, id: %d}]\n",
			who, strings.TrimPrefix(f.forge.URL, "http://"), f.forge.ID(who)))
	}
	f.forge.Must(f.t, gitea.Admin, http.MethodPost, "/user/repos", map[string]any{"name": "apps", "default_branch": "main"})
	for who, permission := range map[string]string{"sara": "write", "sam": "write", "paula": "write", "pete": "write", gitea.Reader: "read"} {
		f.forge.Must(f.t, gitea.Admin, http.MethodPut, "/repos/"+forgeRepository+"/collaborators/"+who, map[string]any{"permission": permission})
	}
	f.push("sara", f.baseline, "main")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.hooks = listener.Addr().String()
	if err := listener.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.more = []string{"--hooks", f.hooks, "--interval", "1h"}
	f.forge.Must(f.t, gitea.Admin, http.MethodPost, "/repos/"+forgeRepository+"/hooks", map[string]any{
		"type": "gitea", "active": true,
		"config": map[string]string{"url": "http://" + f.hooks + "/hooks/apps", "content_type": "json", "secret": "of-the-webhook"},
		"events": []string{"push", "pull_request", "pull_request_sync", "pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment"},
	})
	f.edit("repository.yaml", f.shop.Repo.URL(), "file://"+filepath.Join(f.forge.Dir, "repositories", forgeRepository+".git"))
	f.edit("repository.yaml", "approvalSources: [Attestation]", fmt.Sprintf(`pollInterval: 10s
  approvalSources: [Forge]
  forge:
    kind: Gitea
    url: %s
    project: %s
    privateAddresses: Allow
    credentialsSecret: {name: forge}
    webhookSecret: {name: hook}`, f.forge.URL, forgeRepository))
	f.edit("tiers.yaml", "level: Signed", "level: Forge")
	for name, value := range map[string]map[string]string{
		"forge": {v1alpha1.ForgeToken: f.forge.Token(gitea.Reader)}, "hook": {v1alpha1.ForgeWebhookSecret: "of-the-webhook"},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: name}, StringData: value}
		if _, err := f.typed.CoreV1().Secrets("fairway-system").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *forgeLab) edit(file, old, replacement string) {
	f.t.Helper()
	content, err := os.ReadFile(f.shop.World(file))
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		f.t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(f.shop.World(file), []byte(strings.ReplaceAll(string(content), old, replacement)), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// push sends a commit to the forge as somebody.
func (f *forgeLab) push(who, commit, branch string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "git", "push", "--quiet", f.forge.SSH(forgeRepository), "+"+commit+":refs/heads/"+branch)
	cmd.Dir = f.shop.Repo.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_SSH_COMMAND=ssh -F none -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i "+f.forge.Key(who))
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("pushing as %s: %v\n%s", who, err, out)
	}
}

// pulled is a change on the forge, and what it landed as.
type pulled struct {
	number      int64
	head, merge string
	page        string
}

// open has somebody open a change with some files.
func (f *forgeLab) open(who, branch string, files map[string]string) pulled {
	f.t.Helper()
	head, err := f.shop.Branch(f.t.Context(), branch, who, "A change\n\nTicket: SHOP-7", files)
	if err != nil {
		f.t.Fatal(err)
	}
	f.push(who, head, branch)
	f.forge.AwaitBranch(f.t, forgeRepository, branch, head)
	var made struct {
		Number int64
		URL    string `json:"html_url"`
	}
	err = f.forge.Call(f.t.Context(), who, http.MethodPost, "/repos/"+forgeRepository+"/pulls",
		map[string]any{"title": "a change", "head": branch, "base": "main"}, &made)
	if err != nil {
		f.t.Fatal(err)
	}
	return pulled{number: made.Number, head: head, page: made.URL}
}

// land merges a change, signs the merge and pushes it.
func (f *forgeLab) land(who string, p *pulled) {
	f.t.Helper()
	ctx := f.t.Context()
	base, err := f.shop.Tip(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	if p.merge, err = f.shop.Repo.Merge(ctx, f.shop.People[who], base, p.head, "Merge\n\nTicket: SHOP-7"); err == nil {
		err = f.shop.Repo.SetBranch(ctx, "main", p.merge)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.push(who, p.merge, "main")
}

// review has somebody say something of a change.
func (f *forgeLab) review(p pulled, who, event string) (id int64) {
	f.t.Helper()
	return f.forge.Review(f.t, who, gitea.Pull{Repository: forgeRepository, Number: p.number, Head: p.head}, event)
}

// dismiss takes a review away.
func (f *forgeLab) dismiss(p pulled, id int64) {
	f.t.Helper()
	f.forge.Dismiss(f.t, gitea.Pull{Repository: forgeRepository, Number: p.number}, id)
}

// proof awaits a verdict on a commit in its ProvenCommit, and returns it.
func (f *forgeLab) proof(commit string, want v1alpha1.JudgedVerdict) v1alpha1.ProvenCommit {
	f.t.Helper()
	var found v1alpha1.ProvenCommit
	f.until(fmt.Sprintf("the verdict %s on %.12s", want, commit), func(ctx context.Context) error {
		list, err := f.as("admin").Resource(fairwayResource("ProvenCommit")).Namespace("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, item := range list.Items {
			var p v1alpha1.ProvenCommit
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &p); err != nil {
				return err
			}
			if p.Spec.Commit == commit {
				found = p
			}
		}
		if len(found.Status.Judgements) != 1 || found.Status.Judgements[0].Verdict != want {
			return fmt.Errorf("it is judged %+v", found.Status.Judgements)
		}
		return nil
	})
	return found
}

func webFiles(tag string) map[string]string {
	return map[string]string{story.WebPath: story.Web(2, "", tag)}
}

// TestReviewsOnARealForge: production takes what people review on a real Gitea. A review given now
// counts within seconds; one that was dismissed, given for another head or by who pushed does not; and
// with the forge stopped what was proven goes on.
func TestReviewsOnARealForge(t *testing.T) {
	f := newForgeLab(t)
	first := f.open("sara", "feature-1", webFiles("2.0"))
	f.land("sara", &first)
	f.proof(first.merge, v1alpha1.VerdictPending)
	f.refused(f.deliver(story.Web(2, "", "2.0"), first.merge), first.page)
	f.review(first, "sam", "APPROVED")
	began := time.Now()
	f.review(first, "paula", "APPROVED")
	said := time.Since(began)
	p := f.proof(first.merge, v1alpha1.VerdictAllow)
	t.Logf("review answered by the forge after %s, ProvenCommit says Allow %s after the review was begun",
		said.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if r := p.Status.Reviews; len(r) != 1 || r[0].Page != first.page || strings.Join(r[0].Approvers, " ") != "paula sam" || r[0].Evidence == "" {
		t.Errorf("the proof keeps of the review %+v", r)
	}
	f.admitted(f.deliver(story.Web(2, "", "2.0"), first.merge))

	t.Run("a review that was dismissed before admission", func(t *testing.T) {
		change := f.open("sara", "feature-2", webFiles("3.0"))
		id := f.review(change, "sam", "APPROVED")
		f.review(change, "paula", "APPROVED")
		f.land("sara", &change)
		f.proof(change.merge, v1alpha1.VerdictAllow)
		f.dismiss(change, id)
		// Gitea sends nothing when a review is dismissed. What does come by shows it.
		f.forge.Must(t, "pete", http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews", forgeRepository, change.number),
			map[string]any{"event": "COMMENT", "body": "dismissed, I see"})
		f.proof(change.merge, v1alpha1.VerdictPending)
		f.until("the gate knows what the API server does", func(ctx context.Context) error {
			web := f.stamped(story.Web(2, "", "3.0"), change.merge, "shop")
			options := metav1.ApplyOptions{FieldManager: "deployer", Force: true, DryRun: []string{metav1.DryRunAll}}
			if _, err := f.on("deployer", web).Apply(ctx, web.GetName(), web, options); err == nil {
				return errors.New("it admits still")
			}
			return nil
		})
		f.refused(f.deliver(story.Web(2, "", "3.0"), change.merge), "FW103")
		f.review(change, "sam", "APPROVED")
		f.proof(change.merge, v1alpha1.VerdictAllow)
	})
	t.Run("T09 a push after the approval", func(t *testing.T) {
		change := f.open("sara", "feature-3", map[string]string{"shop/production/a.yaml": configMap("a", "1")})
		f.review(change, "sam", "APPROVED")
		f.review(change, "paula", "APPROVED")
		more, err := f.shop.Repo.Commit(t.Context(), story.Commit{
			Author: f.shop.People["sara"], Signer: f.shop.People["sara"], Parents: []string{change.head}, Message: "More\n\nTicket: SHOP-7",
			Files: map[string]string{"shop/production/a.yaml": configMap("a", "2")},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.push("sara", more, "feature-3")
		change.head = more
		f.land("sara", &change)
		f.proof(change.merge, v1alpha1.VerdictPending)
		f.refused(f.deliver(configMap("a", "2"), change.merge), "FW103")
		f.review(change, "sam", "APPROVED")
		f.review(change, "paula", "APPROVED")
		f.proof(change.merge, v1alpha1.VerdictAllow)
		f.admitted(f.deliver(configMap("a", "2"), change.merge))
	})
	t.Run("T40 who pushed to it approves it", func(t *testing.T) {
		change := f.open("sara", "feature-4", map[string]string{"shop/production/b.yaml": configMap("b", "1")})
		more, err := f.shop.Repo.Commit(t.Context(), story.Commit{
			Author: f.shop.People["sara"], Signer: f.shop.People["sara"], Parents: []string{change.head}, Message: "More\n\nTicket: SHOP-7",
			Files: map[string]string{"shop/production/b.yaml": configMap("b", "2")},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.push("sam", more, "feature-4") // sara's commit, and sam's push
		change.head = more
		f.review(change, "sam", "APPROVED")
		f.review(change, "paula", "APPROVED")
		f.land("sara", &change)
		f.proof(change.merge, v1alpha1.VerdictDeny) // nobody is left among the owners
		f.refused(f.deliver(configMap("b", "2"), change.merge), "FW103")
	})
	t.Run("T38 the token stays where it belongs", func(t *testing.T) {
		log := f.program.Log()
		for _, secret := range []string{f.forge.Token(gitea.Reader), "of-the-webhook"} {
			if strings.Contains(log, secret) {
				t.Error("a secret is in the log")
			}
		}
	})
	t.Run("a webhook that nobody signed", func(t *testing.T) {
		resp, err := http.Post("http://"+f.hooks+"/hooks/apps", "application/json", strings.NewReader(`{"repository":{"id":1,"full_name":"keeper/apps"}}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("it is answered %s", resp.Status)
		}
	})
}

// TestT39RealForgeStopped: what was proven is admitted, what is new waits and says why.
func TestT39RealForgeStopped(t *testing.T) {
	f := newForgeLab(t)
	first := f.open("sara", "feature-1", webFiles("2.0"))
	f.review(first, "sam", "APPROVED")
	f.review(first, "paula", "APPROVED")
	f.land("sara", &first)
	f.proof(first.merge, v1alpha1.VerdictAllow)
	second := f.open("sara", "feature-2", map[string]string{"shop/production/a.yaml": configMap("a", "1")})
	f.review(second, "sam", "APPROVED")
	f.review(second, "paula", "APPROVED")
	if err := f.forge.Halt(); err != nil {
		t.Fatal(err)
	}
	// The forge is away, and git is not.
	base := first.merge
	merge, err := f.shop.Repo.Merge(t.Context(), f.shop.People["sara"], base, second.head, "Merge\n\nTicket: SHOP-7")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"fetch", "--quiet", f.shop.Repo.Dir, merge}, {"update-ref", "refs/heads/main", merge}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = filepath.Join(f.forge.Dir, "repositories", forgeRepository+".git")
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	f.edit("repository.yaml", "pollInterval: 1h", "pollInterval: 10s") // nobody tells of it
	f.world("repository.yaml")
	p := f.proof(merge, v1alpha1.VerdictPending)
	if !strings.Contains(strings.Join(p.Status.Judgements[0].Missing, "\n"), "could not ask the forge") {
		t.Errorf("what is missing is %q", p.Status.Judgements[0].Missing)
	}
	f.proof(first.merge, v1alpha1.VerdictAllow)
	f.admitted(f.deliver(story.Web(2, "", "2.0"), first.merge))
	f.refused(f.deliver(configMap("a", "1"), merge), "could not ask the forge")
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {value: %q}\n", name, value)
}
