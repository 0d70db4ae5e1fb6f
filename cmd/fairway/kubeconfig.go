package main

import (
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairway-dev/fairway/internal/cli"
)

// mistaken is an error that is of the asker's making: a file, a clone or a name that is not there.
func mistaken(err error) error { return &cli.Exit{Code: cli.ExitUsage, Err: err} }

// errNoCluster is that of a process which runs in no cluster and was told of none.
var errNoCluster = errors.New("this runs in no cluster: name one with --kubeconfig")

// configOf reads a kubeconfig; empty: how the cluster that the process runs in is reached. What runs for
// long takes no other, lest a KUBECONFIG that is there by chance decides where it writes.
func configOf(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, mistaken(fmt.Errorf("reading kubeconfig %q: %w", kubeconfig, err))
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	switch {
	case errors.Is(err, rest.ErrNotInCluster):
		return nil, mistaken(errNoCluster)
	case err != nil:
		return nil, fmt.Errorf("reaching the cluster that this runs in: %w", err)
	}
	return config, nil
}

// errNobodyToAsk is that of a person who named no cluster, and whose kubectl knows none.
var errNobodyToAsk = errors.New("there is no cluster to ask: name one with --kubeconfig or in KUBECONFIG")

// ask reaches the cluster that a person means who asks something: that of --kubeconfig, else the one that
// kubectl would take, else the one that the process runs in.
func ask(kubeconfig string) (*connection, error) {
	if kubeconfig != "" {
		return connect(kubeconfig)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, mistaken(errNobodyToAsk)
	case err != nil:
		return nil, mistaken(fmt.Errorf("reading the kubeconfig: %w", err))
	}
	return connected(config)
}
