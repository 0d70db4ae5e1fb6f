package cli

import (
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Role is what a process of Fairway does.
type Role string

// The roles.
const (
	RoleBoth   Role = ""       // gate and prover in one process
	RoleGate   Role = "gate"   // answers reviews
	RoleProver Role = "prover" // makes the proofs
)

// ServeOptions are the settings of `fairway serve`, `fairway gate` and `fairway prover`.
type ServeOptions struct {
	Role       Role
	Dir        string        // without a cluster: kinds as YAML files
	Kubeconfig string        // against a cluster; empty: in-cluster
	Namespace  string        // Fairway's own
	Listen     string        // host:port of the webhook
	Probes     string        // host:port of probes and metrics without TLS; empty: none
	TLSDir     string        // holds tls.crt, tls.key and ca.crt
	SelfSigned bool          // make them where they are missing
	TLSNames   []string      // names and addresses of a self-signed certificate
	ClientCA   string        // file of the authorities that callers need a certificate of; empty: anybody may call
	Drain      time.Duration // how long to go on answering after being told to end
	// MaxStaleness is how old what a gate has heard from the API server may be for a verdict to count.
	MaxStaleness time.Duration
	StateDir     string        // mirrors and keys
	Hooks        string        // host:port for the push webhooks of forges, without TLS; empty: none are taken
	Interval     time.Duration // longest between two looks at a repository; 0: its own
	// AuditInterval is the time between two audits of a cluster that nothing asked for.
	AuditInterval time.Duration
	// GlassRetention is how long the record of a used BreakGlass stays once it is closed; 0: for ever.
	GlassRetention time.Duration
	// Webhook says which webhook configuration is kept; one without Service and URL: none.
	Webhook WebhookOptions
	// FairwayUsers are the user names of Fairway's other processes, whose records are its own.
	FairwayUsers []string
	// ProverKey is the id of the prover's key that a gate believes; empty: that of the Secret.
	ProverKey string
	// Rotate is what a prover makes of certificates.
	Rotate RotateOptions
	// WebhookConfiguration must hold the chain of the serving certificate before the process is ready.
	WebhookConfiguration string
	// SealRepository and SealKey are what the sealing write must name (ruling 9).
	SealRepository, SealKey string
	Verbose                 bool
	// TraceEndpoint is the URL of an OTLP/HTTP collector; empty: no traces. TraceRatio is how many of the
	// requests that the API server does not trace are traced anyway.
	TraceEndpoint string
	TraceRatio    float64
	Log           io.Writer
}

// WebhookOptions say where the API server finds the gates.
type WebhookOptions struct {
	Name    string   // of the configuration
	Service string   // of the gates, in Fairway's own namespace
	URL     string   // instead of the Service
	CA      string   // file of the bundle of the serving certificate's authority; empty: another keeps it
	System  []string // namespaces of which gates judge what engines deliver alone, beside Fairway's own
}

func serveCommand(rooms Rooms) *cobra.Command {
	o := ServeOptions{}
	c := serving(rooms, &o, &cobra.Command{
		Use:   "serve",
		Short: "Run gate and prover in one process, against a cluster or a directory",
		Long: "Run gate and prover in one process.\n\nWith --dir the tiers, bindings, teams, repositories and namespaces are YAML files in a directory,\n" +
			"and no cluster is needed. Without it they are read from the cluster of --kubeconfig, or the one\nthat the process runs in.",
	})
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "", "read kinds from the YAML files in this directory instead of a cluster")
	clusterFlags(f, &o)
	frontFlags(c, f, &o)
	f.StringVar(&o.Probes, "probes", "", "address of /livez, /readyz and /metrics without TLS; empty: on --listen alone")
	proverFlags(c, f, &o)
	return c
}

func gateCommand(rooms Rooms) *cobra.Command {
	o := ServeOptions{Role: RoleGate}
	c := serving(rooms, &o, &cobra.Command{
		Use:   "gate",
		Short: "Run the gate: answer the API server's reviews",
		Long: "Run the gate: answer the API server's reviews from what the prover has proven. Any number of gates\n" +
			"may run. A gate keeps no state, needs no git, and talks to the API server alone.",
	})
	f := c.Flags()
	clusterFlags(f, &o)
	frontFlags(c, f, &o)
	f.StringVar(&o.Probes, "probes", ":9440", "address of /livez, /readyz and /metrics without TLS; empty: on --listen alone")
	f.StringSliceVar(&o.FairwayUsers, "fairway-user", []string{"system:serviceaccount:fairway-system:fairway-prover"},
		"user name of another process of Fairway, whose records are its own; may be repeated")
	f.StringVar(&o.ProverKey, "prover-key", "", "id of the prover's key (SHA-256 of the public key, hex); empty: what the Secret fairway-gate-keys holds")
	return c
}

func proverCommand(rooms Rooms) *cobra.Command {
	o := ServeOptions{Role: RoleProver}
	c := serving(rooms, &o, &cobra.Command{
		Use:   "prover",
		Short: "Run the prover: fetch, verify and render what gates admit",
		Long: "Run the prover: fetch repositories, verify and render commits, and keep the proofs in the cluster.\n" +
			"Of several provers the one that holds the Lease fairway-prover works; the others wait for it.",
	})
	f := c.Flags()
	clusterFlags(f, &o)
	rotateFlags(f, &o.Rotate)
	f.StringVar(&o.Probes, "probes", ":9440", "address of /livez, /readyz and /metrics without TLS; empty: none")
	proverFlags(c, f, &o)
	return c
}

// serving completes a command that runs until it is told to end.
func serving(rooms Rooms, o *ServeOptions, c *cobra.Command) *cobra.Command {
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.Log = c.ErrOrStderr()
		return failed(ExitUsage, rooms.Serve(c.Context(), *o))
	}
	c.Flags().StringVar(&o.TraceEndpoint, "trace-endpoint", "", "URL of an OTLP/HTTP collector for traces (http://collector:4318/v1/traces); empty: none are made")
	c.Flags().Float64Var(&o.TraceRatio, "trace-ratio", 0.01, "how many of the traces that nobody upstream decided on are kept, 0 to 1")
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "log one line for each decision")
	return c
}

// SystemNamespaces are those that every cluster has and cannot start without.
func SystemNamespaces() []string { return []string{"kube-system", "kube-node-lease"} }

// clusterFlags say which cluster, and what of it is Fairway's.
func clusterFlags(f *pflag.FlagSet, o *ServeOptions) {
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the cluster's kubeconfig; empty: the cluster that the process runs in")
	f.StringVar(&o.Namespace, "namespace", "fairway-system", "Fairway's own namespace")
	f.StringSliceVar(&o.Webhook.System, "system-namespace", SystemNamespaces(),
		"namespace of which gates judge, beside Fairway's own, what engines deliver and nothing else, because the cluster could not start without it; may be repeated")
}

// frontFlags are those of what answers reviews.
func frontFlags(c *cobra.Command, f *pflag.FlagSet, o *ServeOptions) {
	f.StringVar(&o.Listen, "listen", ":9443", "address of the webhook")
	f.StringVar(&o.TLSDir, "tls-dir", "", "directory with tls.crt and tls.key, which are read again when they change")
	f.BoolVar(&o.SelfSigned, "self-signed", false, "make tls.crt, tls.key and ca.crt in --tls-dir where they are missing")
	f.StringSliceVar(&o.TLSNames, "tls-name", []string{"localhost", "127.0.0.1"}, "names and addresses of the self-signed certificate")
	f.StringVar(&o.ClientCA, "client-ca", "", "file of the authorities that callers need a certificate of, read again when it changes; probes then need --probes; empty: anybody may call")
	f.DurationVar(&o.Drain, "drain", 10*time.Second, "how long to go on answering after being told to end, so that the end points can move; with --dir nobody has to learn of it")
	f.DurationVar(&o.MaxStaleness, "max-staleness", 10*time.Minute, "how old what was last heard from the API server may be for a verdict to count; at least 10s; with --dir it is not asked")
	f.StringVar(&o.SealRepository, "seal-repository", "", "URL of the repository that the cluster binding must name to seal the install")
	f.StringVar(&o.SealKey, "seal-key", "", "fingerprint (SHA256:…) of a key that one of its owners must hold to seal the install")
	f.StringVar(&o.WebhookConfiguration, "webhook-configuration", "", "webhook configuration whose bundles must verify the serving certificate, for the first --tls-name, before this is ready; empty: ready without")
	_ = c.MarkFlagRequired("tls-dir") // the flag exists
}

// proverFlags are those of what makes proofs.
func proverFlags(c *cobra.Command, f *pflag.FlagSet, o *ServeOptions) {
	f.StringVar(&o.StateDir, "state-dir", "", "directory for mirrors and keys; it must outlive a restart")
	f.StringVar(&o.Hooks, "hooks", "", "address for the push webhooks of forges, POST /hooks/REPOSITORY, without TLS; empty: none are taken")
	f.DurationVar(&o.Interval, "interval", 0, "longest time between two looks at a repository; 0: its own pollInterval")
	f.DurationVar(&o.AuditInterval, "audit-interval", 10*time.Minute, "time between two audits of a cluster; one also follows each new proof")
	f.DurationVar(&o.GlassRetention, "break-glass-retention", 90*24*time.Hour, "how long the record of a BreakGlass that was used stays once it is closed, at least 168h; 0: for ever")
	f.StringVar(&o.Webhook.Name, "webhook-name", "fairway", "name of the webhook configuration that is kept as the tiers ask for it")
	f.StringVar(&o.Webhook.Service, "webhook-service", "", "Service of the gates in Fairway's own namespace; without it or --webhook-url no configuration is kept")
	f.StringVar(&o.Webhook.URL, "webhook-url", "", "URL of the gates instead of a Service, for API servers that reach none")
	f.StringVar(&o.Webhook.CA, "webhook-ca", "", "file with the authority of the gates' certificate, read again each time; empty: another writes the caBundle")
	_ = c.MarkFlagRequired("state-dir") // the flag exists
}
