package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// cluster is a real API server that asks fairway, and kubectl before it. Everybody has all rights that
// RBAC can give, so that what is refused is refused by Fairway.
type cluster struct {
	stage   *stage
	running *controlplane.Cluster
	kubectl string
}

func (c *cluster) start(ctx context.Context, s *stage) error {
	c.stage = s
	s.say("Starting an API server …")
	binaries, err := controlplane.Binaries(ctx)
	if err != nil {
		return err
	}
	c.kubectl = filepath.Join(binaries, "kubectl")
	if c.running, err = controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(s.dir, "cluster"), ControllerManager: true}); err != nil {
		return err
	}
	for _, user := range []string{"admin", "sara", deployer} {
		if err := c.login(user, "system:masters"); err != nil {
			return err
		}
	}
	if err := c.login("system:serviceaccount:fairway-system:fairway"); err != nil {
		return err
	}
	if err := c.install(ctx); err != nil {
		return err
	}
	return c.world(ctx)
}

// config is the kubeconfig of a user.
func (c *cluster) config(user string) string {
	return filepath.Join(c.stage.dir, strings.ReplaceAll(user, ":", "-")+".kubeconfig")
}

func (c *cluster) login(user string, groups ...string) error {
	config, err := c.running.ConfigFor(user, groups...)
	if err != nil {
		return err
	}
	return controlplane.WriteKubeconfig(c.config(user), config)
}

// install puts the shipped kinds, rights and webhook configuration in, and starts fairway.
func (c *cluster) install(ctx context.Context) error {
	s := c.stage
	if err := c.apply(ctx, "config/crd"); err != nil {
		return err
	}
	if _, err := c.as(ctx, "admin", nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"); err != nil {
		return err
	}
	if _, err := c.as(ctx, "admin", nil, "create", "namespace", "fairway-system"); err != nil {
		return err
	}
	if err := c.apply(ctx, "config/rbac"); err != nil {
		return err
	}
	pair, err := c.running.ServingPair()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"tls.crt": pair.Certificate, "tls.key": pair.Key, "ca.crt": pair.CA} {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return fmt.Errorf("writing the certificate: %w", err)
		}
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	if err := s.serve(ctx, filepath.Join(s.dir, "ca.crt"), "--kubeconfig", c.config("system:serviceaccount:fairway-system:fairway"),
		"--listen", listen, "--tls-dir", s.dir); err != nil {
		return err
	}
	return c.guard(ctx, "https://"+listen+"/validate", pair.CA)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// guard installs the shipped webhook configuration, pointed at this machine. It leaves the namespace
// play in: the sandbox shows that an open tier is free even where fairway is asked.
func (c *cluster) guard(ctx context.Context, url string, ca []byte) error {
	raw, err := os.ReadFile("config/webhook/webhook.yaml")
	if err != nil {
		return fmt.Errorf("reading the webhook configuration: %w", err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(raw, &config); err != nil {
		return fmt.Errorf("reading the webhook configuration: %w", err)
	}
	hooks, _ := config["webhooks"].([]any)
	for _, h := range hooks {
		hook, _ := h.(map[string]any)
		hook["clientConfig"] = map[string]any{"url": url, "caBundle": ca}
	}
	pointed, err := yaml.Marshal(config)
	if err != nil {
		return fmt.Errorf("writing the webhook configuration: %w", err)
	}
	_, err = c.as(ctx, "admin", pointed, "apply", "--server-side", "-f", "-")
	return err
}

// world applies the tiers, teams, repository, namespaces and bindings of the story, and waits until
// production refuses what has no proof.
func (c *cluster) world(ctx context.Context) error {
	for _, file := range []string{"tiers.yaml", "teams.yaml", "repository.yaml", "namespaces.yaml", "bindings.yaml"} {
		raw, err := os.ReadFile(c.stage.shop.World(file))
		if err != nil {
			return fmt.Errorf("reading the world: %w", err)
		}
		text := strings.NewReplacer(", uid: 11111111-1111-4111-8111-111111111111", "", ", uid: "+story.ShopUID, "").Replace(string(raw))
		if _, err := c.as(ctx, "admin", []byte(text), "apply", "--server-side", "-f", "-"); err != nil {
			return err
		}
	}
	return c.stage.await(ctx, "production to be guarded", func() (bool, error) {
		got, err := c.write(ctx, story.Write{Object: strings.ReplaceAll(story.Banner, "banner", "probe"), User: "admin", Manager: "probe", DryRun: true})
		return !got.allowed, err
	})
}

func (c *cluster) apply(ctx context.Context, folder string) error {
	_, err := c.as(ctx, "admin", nil, "apply", "--server-side", "-f", folder)
	return err
}

// as runs kubectl as a user.
func (c *cluster) as(ctx context.Context, user string, in []byte, args ...string) (string, error) {
	return c.stage.command(ctx, in, c.kubectl, append([]string{"--kubeconfig", c.config(user)}, args...)...)
}

func (c *cluster) uid(ctx context.Context) (string, error) {
	return c.as(ctx, "admin", nil, "get", "namespace", "shop", "-o", "jsonpath={.metadata.uid}")
}

func (c *cluster) open(ctx context.Context, object []byte) error {
	_, err := c.as(ctx, "sara", object, "apply", "--server-side", "-f", "-")
	return err
}

func (c *cluster) write(ctx context.Context, w story.Write) (answer, error) {
	args := []string{"create", "--field-manager", w.Manager, "-f", "-"}
	if w.Apply {
		args = []string{"apply", "--server-side", "--force-conflicts", "--field-manager", w.Manager, "-f", "-"}
	} else if _, err := c.as(ctx, "admin", []byte(w.Object), "get", "-f", "-"); err == nil {
		args[0] = "replace"
	}
	if w.DryRun {
		args = append(args, "--dry-run=server")
	}
	return said(c.as(ctx, w.User, []byte(w.Object), args...))
}

func (c *cluster) remove(ctx context.Context, configMap, user string) (answer, error) {
	return said(c.as(ctx, user, nil, "delete", "configmap", configMap, "-n", "shop"))
}

// said reads what kubectl prints of an answer. Any other failure than a refusal by Fairway is an error.
func said(_ string, err error) (answer, error) {
	if err == nil {
		return answer{allowed: true}, nil
	}
	_, message, refused := strings.Cut(err.Error(), "fairway.dev\" denied the request: ")
	if !refused {
		return answer{}, err
	}
	return answer{message: message}, nil
}

// review shows that the book was written, and that an audit sees what differs from Git.
func (c *cluster) review(ctx context.Context) error {
	if err := c.stage.await(ctx, "the use to be recorded", func() (bool, error) {
		used, err := c.as(ctx, "admin", nil, "get", "breakglass", "-n", "shop", "-o", "jsonpath={.items[*].status.used[*].user}")
		return used == "sara", err
	}); err != nil {
		return err
	}
	c.stage.say("  recorded  in the status of the BreakGlass: used by sara")
	out, err := c.stage.command(ctx, nil, c.stage.binary, "audit", "--kubeconfig", c.config("admin"), "-n", "shop")
	if err == nil || !strings.Contains(out, "drifted    Deployment shop/web") {
		return fmt.Errorf("an audit does not see what sara changed: %w: %s", err, out)
	}
	c.stage.say("  audited   %s", first(out))
	return nil
}

func (c *cluster) stop() error {
	if c.running == nil {
		return nil
	}
	return errors.Join(c.running.Stop())
}
