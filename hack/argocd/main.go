// Command argocd is Argo CD, for tests, without the web front that would have to be built first. By itself
// it is the application controller and the repository server, with a Redis in memory between them, in one
// process that listens on loopback alone. Told "server" or "applicationset-controller" it is that program
// of Argo CD's, with the flags that this one has there.
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
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	appsetcontroller "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	apiserver "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
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
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	others := map[string]func() *cobra.Command{"server": apiserver.NewCommand, "applicationset-controller": appsetcontroller.NewCommand}
	if len(os.Args) > 1 && others[os.Args[1]] != nil {
		command := others[os.Args[1]]()
		command.SetArgs(os.Args[2:])
		if command.Execute() != nil {
			os.Exit(1) // it has said why
		}
		return
	}
	var s settled
	flags := flag.NewFlagSet("argocd", flag.ExitOnError) // other packages have put theirs into that of the program
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "the cluster, which is the destination too")
	flags.StringVar(&s.namespace, "namespace", "argocd", "Argo CD's own namespace")
	flags.StringVar(&s.redis, "redis", "127.0.0.1:0", "where the Redis listens")
	flags.StringVar(&s.repoServer, "repo-server", "127.0.0.1:0", "where the repository server listens")
	flags.StringVar(&s.teams, "application-namespaces", "", "other namespaces whose Applications it serves, with commas")
	flags.DurationVar(&s.resync, "resync", 5*time.Second, "how often each Application is compared with Git")
	flags.BoolVar(&s.serverSideDiff, "server-side-diff", false, "compare by dry runs of the API server")
	if err := flags.Parse(os.Args[1:]); err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

// settled is what the flags say.
type settled struct {
	kubeconfig, namespace, redis, repoServer, teams string

	resync         time.Duration
	serverSideDiff bool
}

func run(ctx context.Context, s settled) error {
	store := miniredis.NewMiniRedis()
	if err := store.StartAddr(s.redis); err != nil {
		return fmt.Errorf("starting Redis: %w", err)
	}
	defer store.Close()
	go age(ctx, store)
	manifests, err := serveRepositories(s.repoServer, store.Addr())
	if err != nil {
		return err
	}
	// This is how Argo CD is told that the cluster it runs in is that of the kubeconfig.
	if err := errors.Join(os.Setenv("KUBECONFIG", s.kubeconfig), os.Setenv("ARGOCD_FAKE_IN_CLUSTER", "true")); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
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
	set := settings.NewSettingsManager(ctx, kube, s.namespace)
	shards, err := sharding.GetClusterSharding(kube, set, common.DefaultShardingAlgorithm, false)
	if err != nil {
		return fmt.Errorf("sharding: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c, err := controller.NewApplicationController(s.namespace, set, kube, apps,
		apiclient.NewRepoServerClientset(manifests, 60, apiclient.TLSConfiguration{DisableTLS: true}),
		commitclient.NewCommitServerClientset(common.DefaultCommitServerAddr), cache, kubeutil.NewKubectl(),
		s.resync, time.Hour, 0, time.Second, nil, time.Minute, 0, time.Second, port, 0, nil, nil, nil, 4, false, shards, strings.FieldsFunc(s.teams, func(r rune) bool { return r == ',' }),
		ratelimiter.GetDefaultAppRateLimiterConfig(), s.serverSideDiff, false, normalizers.IgnoreNormalizerOpts{}, argo.DefaultEnableEventList(), false)
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
func serveRepositories(address, redisAddress string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("where the repository server listens: %w", err)
	}
	if port == "0" {
		free, err := freePort()
		if err != nil {
			return "", err
		}
		port = strconv.Itoa(free)
	}
	metrics, err := freePort()
	if err != nil {
		return "", err
	}
	command := reposerver.NewCommand()
	command.SetArgs([]string{
		"--disable-tls", "--redis", redisAddress, "--address", host, "--port", port,
		"--metrics-address", "127.0.0.1", "--metrics-port", strconv.Itoa(metrics),
		"--revision-cache-expiration", "1s",
	})
	go func() {
		if err := command.Execute(); err != nil {
			fmt.Fprintln(os.Stderr, "argocd: repository server:", err)
			os.Exit(1)
		}
	}()
	return net.JoinHostPort(host, port), nil
}

// freePort is a port of loopback that nobody used a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}
