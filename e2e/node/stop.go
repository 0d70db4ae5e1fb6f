package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// stop ends everything, and takes back what was made of the machine: sandboxes, mounts, rules and the bridge.
func (n *node) stop(ctx context.Context) error {
	var errs []error
	if n.typed != nil {
		errs = append(errs, n.drain(ctx))
	}
	if n.balancer != nil {
		errs = append(errs, n.balancer.Close())
	}
	if n.names != nil {
		errs = append(errs, n.names.Close())
	}
	if n.cluster != nil {
		errs = append(errs, n.cluster.Stop())
	}
	if n.ruled {
		errs = append(errs, say(ctx, n.program("kube-proxy"), "--cleanup"), forgetRules(ctx))
	}
	if n.bridged {
		for _, rule := range forwarding {
			errs = append(errs, say(ctx, "iptables", append([]string{"-D", "FORWARD"}, rule...)...))
		}
		errs = append(errs, say(ctx, "ip", "link", "delete", bridge))
	}
	if n.dir != "" {
		errs = append(errs, unmount(ctx, n.dir), os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}

// drain lets nothing start any more and removes what runs. The API server may be asking gates that are gone.
func (n *node) drain(ctx context.Context) error {
	admission := n.typed.AdmissionregistrationV1()
	if err := admission.ValidatingAdmissionPolicyBindings().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("removing policies: %w", err)
	}
	// Policies are in force for some moments more.
	if err := until(ctx, time.Minute, "webhooks are gone", func(ctx context.Context) error {
		return admission.ValidatingWebhookConfigurations().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	}); err != nil {
		return err
	}
	if _, err := n.typed.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("closing the node: %w", err)
	}
	return until(ctx, time.Minute, "no pod is left", func(ctx context.Context) error {
		running, err := n.typed.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
		if err != nil {
			return err
		}
		if len(running.Items) == 0 {
			return nil
		}
		second := int64(1)
		for i := range running.Items {
			p := &running.Items[i]
			if p.DeletionTimestamp == nil {
				err = errors.Join(err, n.typed.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &second}))
			}
		}
		return errors.Join(err, fmt.Errorf("%d run", len(running.Items)))
	})
}

// unmount undoes all mounts below a folder, the newest first.
func unmount(ctx context.Context, dir string) error {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("looking for mounts: %w", err)
	}
	var below []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			below = append(below, fields[1])
		}
	}
	slices.Reverse(below)
	var errs []error
	for _, at := range below {
		errs = append(errs, say(ctx, "umount", at))
	}
	return errors.Join(errs...)
}
