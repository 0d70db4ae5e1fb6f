// Command argocd is the part of Argo CD that applies manifests to a cluster, for tests: its application
// controller and its repository server, with a Redis in memory between them, in one process. Argo CD's
// own program would add a web front that has to be built first, and serves metrics to the whole network;
// everything here listens on loopback alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	commitclient "github.com/argoproj/argo-cd/v3/commitserver/apiclient"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/controller"
	"github.com/argoproj/argo-cd/v3/controller/sharding"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	appclientset "github.com/argoproj/argo-cd/v3/pkg/client/clientset/versioned"
	"github.com/argoproj/argo-cd/v3/pkg/ratelimiter"
	"github.com/argoproj/argo-cd/v3/reposerver/apiclient"
	"github.com/argoproj/argo-cd/v3/util/argo"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	cacheutil "github.com/argoproj/argo-cd/v3/util/cache"
	"github.com/argoproj/argo-cd/v3/util/cache/appstate"
	kubeutil "github.com/argoproj/argo-cd/v3/util/kube"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/redis/go-redis/v9"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the cluster, which is the destination too")
	namespace := flag.String("namespace", "argocd", "Argo CD's own namespace")
	resync := flag.Duration("resync", 5*time.Second, "how often each Application is compared with Git")
	serverSideDiff := flag.Bool("server-side-diff", false, "compare by dry runs of the API server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *kubeconfig, *namespace, *resync, *serverSideDiff); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, namespace string, resync time.Duration, serverSideDiff bool) error {
	store := miniredis.NewMiniRedis()
	if err := store.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("starting Redis: %w", err)
	}
	defer store.Close()
	go age(ctx, store)
	manifests, err := serveRepositories(store.Addr())
	if err != nil {
		return err
	}
	// This is how Argo CD is told that the cluster it runs in is that of the kubeconfig.
	if err := errors.Join(os.Setenv("KUBECONFIG", kubeconfig), os.Setenv("ARGOCD_FAKE_IN_CLUSTER", "true")); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if err := v1alpha1.SetK8SConfigDefaults(config); err != nil {
		return err
	}
	config.UserAgent = common.DefaultApplicationControllerName
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	apps, err := appclientset.NewForConfig(config)
	if err != nil {
		return err
	}
	cache := appstate.NewCache(cacheutil.NewCache(cacheutil.NewRedisCache(redis.NewClient(&redis.Options{Addr: store.Addr()}), time.Hour, cacheutil.RedisCompressionNone)), time.Hour)
	set := settings.NewSettingsManager(ctx, kube, namespace)
	shards, err := sharding.GetClusterSharding(kube, set, common.DefaultShardingAlgorithm, false)
	if err != nil {
		return fmt.Errorf("sharding: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c, err := controller.NewApplicationController(namespace, set, kube, apps,
		apiclient.NewRepoServerClientset(manifests, 60, apiclient.TLSConfiguration{DisableTLS: true}),
		commitclient.NewCommitServerClientset(common.DefaultCommitServerAddr), cache, kubeutil.NewKubectl(),
		resync, time.Hour, 0, time.Second, nil, time.Minute, 0, time.Second, port, 0, nil, nil, nil, 4, false, shards, nil,
		ratelimiter.GetDefaultAppRateLimiterConfig(), serverSideDiff, false, normalizers.IgnoreNormalizerOpts{}, argo.DefaultEnableEventList(), false)
	if err != nil {
		return fmt.Errorf("making the controller: %w", err)
	}
	c.GetMetricsServer().Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	go c.Run(ctx, 4, 4)
	<-ctx.Done()
	return nil
}

// age has time pass in a Redis that has no clock: what is cached expires.
func age(ctx context.Context, store *miniredis.Miniredis) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			store.FastForward(time.Second)
		}
	}
}

// serveRepositories starts the repository server, which ends with the process, and returns its address.
func serveRepositories(redisAddress string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	metrics, err := freePort()
	if err != nil {
		return "", err
	}
	command := reposerver.NewCommand()
	command.SetArgs([]string{
		"--disable-tls", "--redis", redisAddress, "--address", "127.0.0.1", "--port", strconv.Itoa(port),
		"--metrics-address", "127.0.0.1", "--metrics-port", strconv.Itoa(metrics),
		"--revision-cache-expiration", "1s",
	})
	go func() {
		if err := command.Execute(); err != nil {
			fmt.Fprintln(os.Stderr, "argocd: repository server:", err)
			os.Exit(1)
		}
	}()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// freePort is a port of loopback that nobody used a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}
