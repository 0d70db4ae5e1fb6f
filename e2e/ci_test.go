package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// ciBinding has the shop delivered by a pipeline that shows a token of its own repository.
const ciBinding = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
  - name: shop
    repository: apps
    branch: main
    path: shop/production
    render: Plain
    fieldManager: deployer
    via:
      ci:
        claims:
        - {key: ci.example.com/repository, values: [acme/shop]}
        - {key: ci.example.com/environment, values: [production]}
        commitClaim: ci.example.com/sha
`

// pipelinesMayWrite gives pipelines all rights of RBAC, by the name that the API server takes from their token.
const pipelinesMayWrite = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: pipelines}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ci:pipeline"}]
`

// ciLab is a shop that a pipeline delivers, with tokens of an issuer that the API server knows.
type ciLab struct {
	*serveLab
	tools  string // a folder with fairway and kubectl in it
	issuer *issuer
}

func newCILab(t *testing.T) *ciLab {
	t.Helper()
	l := &ciLab{tools: t.TempDir(), issuer: newIssuer(t)}
	options := controlplane.Options{ControllerManager: true, ExtraAPIServerArgs: []string{"--authentication-config=" + l.issuer.configuration()}}
	l.serveLab = newServeLabOn(t, options, (*serveLab).serve)
	l.admitted(l.apply("admin", "admin", manifest(t, ciBinding)))
	l.admitted(l.apply("admin", "admin", manifest(t, pipelinesMayWrite)))
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, err := controlplane.Binaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]string{"fairway": program, "kubectl": filepath.Join(kubernetes, "kubectl")} {
		if err := os.Symlink(at, filepath.Join(l.tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// token is the kubeconfig of a pipeline whose token has claims: the API server gives them to Fairway as the
// user's extra.
func (l *ciLab) token(claims map[string]string) string {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), "kubeconfig")
	config := rest.AnonymousClientConfig(l.config("gateway"))
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		l.t.Fatal(err)
	}
	file, err := clientcmd.LoadFromFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, user := range file.AuthInfos {
		user.Token = l.issuer.token(claims)
	}
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// run runs a command line in the clone, at a commit.
func (l *ciLab) run(commit, kubeconfig, command string, args ...string) error {
	l.t.Helper()
	l.checkout(commit)
	cmd := exec.CommandContext(l.t.Context(), command, args...)
	cmd.Dir = l.shop.Clone()
	cmd.Env = append(os.Environ(), "PATH="+l.tools+":"+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig, "HOME="+l.tools)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// deliver runs the job of examples/ci.
func (l *ciLab) deliver(commit, kubeconfig string) error {
	l.t.Helper()
	script, err := filepath.Abs("../examples/ci/deliver.sh")
	if err != nil {
		l.t.Fatal(err)
	}
	return l.run(commit, kubeconfig, script, "apps", "shop", "shop/production", "deployer")
}

// kubectl applies a manifest as it is.
func (l *ciLab) kubectl(commit, kubeconfig, text string) error {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return l.run(commit, kubeconfig, "kubectl", "apply", "--server-side", "--field-manager", "deployer", "-f", file)
}

// TestCI has a pipeline deliver, with the job of examples/ci, the real kubectl, and tokens that the API server
// reads by the configuration of docs/engines/ci.md.
func TestCI(t *testing.T) {
	l := newCILab(t)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	claims := func(commit string) map[string]string {
		return map[string]string{"repository": "acme/shop", "environment": "production", "sha": commit}
	}
	stamp := func(repository, commit string) string {
		return strings.Replace(story.Banner, "namespace: shop", "namespace: shop, annotations: {fairway.dev/repository: "+repository+", fairway.dev/commit: "+commit+", fairway.dev/source: shop}", 1)
	}
	// The token of a fork, or of another environment, delivers nothing, though the content is right.
	for name, value := range map[string]string{"repository": "mallory/shop", "environment": "preview"} {
		other := claims(first)
		other[name] = value
		l.says(l.deliver(first, l.token(other)), "FW218", "is delivered by")
	}
	// A token of another audience, or of nobody that the API server knows, is no token.
	for name, value := range map[string]string{"aud": "elsewhere", "iss": "https://elsewhere.example.com"} {
		other := claims(first)
		other[name] = value
		if err := l.deliver(first, l.token(other)); err == nil || !strings.Contains(err.Error(), "provide credentials") {
			t.Errorf("%s %s: %v", name, value, err)
		}
	}
	// An object that says nothing, with a token that names no commit: the refusal names the command that
	// mends it.
	silent := claims(first)
	silent["sha"] = ""
	l.says(l.kubectl(first, l.token(silent), story.Banner), "FW207", "fairway stamp")
	// A stamp of another repository, or against the token, is a contradiction.
	l.says(l.kubectl(first, l.token(silent), stamp("other", first)), "FW208", "fairway stamp")
	l.says(l.kubectl(first, l.token(claims(first)), stamp("apps", strings.Repeat("a", 40))), "FW208", "token")
	// And the right token with the right stamp delivers nothing but the content.
	evil := strings.Replace(stamp("apps", first), "winter sale", "free for all", 1)
	l.says(l.kubectl(first, l.token(claims(first)), evil), "FW202")

	// The job stamps, and the token says the same.
	l.admitted(l.deliver(first, l.token(claims(first))))
	if d, err := l.typed.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{}); err != nil || d.Annotations["fairway.dev/commit"] != first {
		t.Errorf("the Deployment says it is of %q: %v", d.Annotations["fairway.dev/commit"], err)
	}
	// Without a stamp, the token's commit is the declaration that the tier asks for.
	l.admitted(l.kubectl(first, l.token(claims(first)), story.Banner))

	// A commit that nobody has approved is refused with who is missing; the same job goes through once they
	// have, without a new commit.
	merge, head, err := l.shop.Land(t.Context(), "sara", "Sell more\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	if err != nil {
		t.Fatal(err)
	}
	l.says(l.deliver(merge, l.token(claims(merge))), "sam")
	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(merge, l.token(claims(merge))))
}
