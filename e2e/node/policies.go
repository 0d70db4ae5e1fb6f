package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// router is who enforces network policies, which the plug-ins for the network of pods do not.
const router = "kube-router"

// enforcePolicies starts it for policies alone, and returns when it has taken its place before all other rules.
func (n *node) enforcePolicies(ctx context.Context) error {
	programs, err := controlplane.Built(ctx, "kuberouter")
	if err != nil {
		return err
	}
	read := []string{"get", "list", "watch"}
	_, err = n.typed.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: router},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"namespaces", "pods", "services", "nodes", "endpoints"}, Verbs: read},
			{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: read},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = n.typed.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: router},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: router},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: router}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	running, err := n.run(filepath.Join(programs, router), router, nil, "--run-firewall", "--run-router=false", "--run-service-proxy=false",
		"--enable-cni=false", "--hostname-override", name, "--service-cluster-ip-range", services, "--health-port=0")
	if err != nil {
		return err
	}
	return running.Await(ctx, func(ctx context.Context) error { return say(ctx, "iptables", "-n", "-L", "KUBE-NWPLCY-DEFAULT") })
}

// forgetRules takes back the rules and sets of the node's programs: kubelet leaves some, and kube-router all of them.
func forgetRules(ctx context.Context) error {
	var errs []error
	for _, family := range []string{"iptables", "ip6tables"} {
		saved, err := exec.CommandContext(ctx, family+"-save").Output()
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the rules of the machine: %w", err))
			continue
		}
		restore := exec.CommandContext(ctx, family+"-restore")
		restore.Stdin = bytes.NewReader(without(saved, "KUBE-"))
		if out, err := restore.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("taking back the node's rules: %w: %s", err, out))
		}
	}
	sets, err := exec.CommandContext(ctx, "ipset", "list", "-name").Output()
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("reading the sets of the machine: %w", err))...)
	}
	for set := range strings.Lines(string(sets)) {
		if strings.HasPrefix(set, "KUBE-") {
			errs = append(errs, say(ctx, "ipset", "destroy", strings.TrimSpace(set)))
		}
	}
	return errors.Join(errs...)
}

// without leaves away the lines that have a word in them.
func without(text []byte, word string) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(word)) {
			kept = append(kept, line...)
		}
	}
	return kept
}
