package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// roles are the service accounts that are shipped.
var roles = []string{"fairway", "fairway-gate", "fairway-prover"}

func roleUser(role string) string { return "system:serviceaccount:fairway-system:" + role }

// crew is Fairway as several processes: gates behind a balancer, where the lab's one process would
// listen, and provers.
type crew struct {
	lab                  *serveLab
	balancer             *controlplane.Balancer
	gates                map[string]*controlplane.Program // by address
	provers              map[string]*controlplane.Program // by name
	client               *http.Client
	begin                map[string]string // lines of a shell script by which programs begin, by name
	binaries             map[string]string // of programs that are not this tree's, by name
	tlsDir               string            // where gates have their certificate; empty: the lab's folder
	moreGate, moreProver []string          // arguments
}

// start starts two gates and a prover. A program is called by a link of its own, which names its log.
func (c *crew) start(l *serveLab) {
	l.t.Helper()
	c.tlsDir = l.dir
	c.prepare(l)
	// Gates first: they wait for the keys that the prover makes.
	for range 2 {
		c.addGate()
	}
	c.addProver("prover-a")
	c.awaitReady(2)
}

// prepare makes what a crew works with: identities, and the balancer before its gates.
func (c *crew) prepare(l *serveLab) {
	l.t.Helper()
	c.lab, c.gates, c.provers = l, map[string]*controlplane.Program{}, map[string]*controlplane.Program{}
	c.begin, c.binaries = map[string]string{}, map[string]string{}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.pair.CA)
	// Kubelets do not look at the certificate; where it is not the lab's, neither does this.
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: c.tlsDir != l.dir}, DisableKeepAlives: true}}
	for _, role := range roles[1:] {
		config, err := l.cluster.ConfigFor(roleUser(role))
		if err != nil {
			l.t.Fatal(err)
		}
		if err := controlplane.WriteKubeconfig(filepath.Join(l.dir, role+".kubeconfig"), config); err != nil {
			l.t.Fatal(err)
		}
	}
	var err error
	if c.balancer, err = controlplane.NewBalancer(l.listen, c.ready); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := c.balancer.Close(); err != nil {
			l.t.Error(err)
		}
		if l.t.Failed() {
			c.tell()
		}
	})
}

// tell shows what everybody said.
func (c *crew) tell() {
	for name, p := range c.gates {
		c.lab.t.Logf("gate %s said:\n%s", name, p.Log())
	}
	for name, p := range c.provers {
		c.lab.t.Logf("%s said:\n%s", name, p.Log())
	}
}

func (c *crew) run(name string, args ...string) *controlplane.Program {
	l := c.lab
	l.t.Helper()
	path, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	if other := c.binaries[name]; other != "" {
		path = other
	}
	link := filepath.Join(l.dir, name)
	if lines := c.begin[name]; lines != "" {
		script := "#!/bin/sh\n" + lines + "exec " + path + " \"$@\"\n"
		if err := os.WriteFile(link, []byte(script), 0o700); err != nil {
			l.t.Fatal(err)
		}
	} else if err := os.Symlink(path, link); err != nil && !errors.Is(err, os.ErrExist) {
		l.t.Fatal(err)
	}
	p, err := l.cluster.Run(link, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// addGate starts one more gate and returns its address.
func (c *crew) addGate(args ...string) string {
	address := c.freeAddress()
	c.addGateAt(address, args...)
	return address
}

// freeAddress is where nobody listens.
func (c *crew) freeAddress() string {
	c.lab.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.lab.t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// gateName is what a gate's program is called.
func gateName(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "gate-" + port
}

func (c *crew) addGateAt(address string, args ...string) {
	l := c.lab
	l.t.Helper()
	c.gates[address] = c.run(gateName(address), append([]string{
		"gate", "--verbose", "--kubeconfig", filepath.Join(l.dir, "fairway-gate.kubeconfig"), "--listen", address, "--probes", "",
		"--tls-dir", c.tlsDir, "--drain", "2s", "--seal-repository", l.shop.Repo.URL(), "--seal-key", l.shop.People["paula"].Fingerprint(),
	}, slices.Concat(c.moreGate, args)...)...)
	c.spread()
}

// spread tells the balancer which gates there are.
func (c *crew) spread() {
	var all []string
	for address := range c.gates {
		all = append(all, address)
	}
	c.balancer.Set(all...)
}

func (c *crew) addProver(name string) {
	l := c.lab
	l.t.Helper()
	c.provers[name] = c.run(name, append([]string{
		"prover", "--verbose", "--kubeconfig", filepath.Join(l.dir, "fairway-prover.kubeconfig"), "--probes", "",
		"--state-dir", filepath.Join(l.dir, name+".state"), "--interval", "2s", "--audit-interval", "20s",
	}, c.moreProver...)...)
}

// ready asks a gate as a kubelet does.
func (c *crew) ready(ctx context.Context, gate string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+gate+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// TestRoles tells the story with gates and provers apart, each with the rights that are shipped for it.
func TestRoles(t *testing.T) {
	c := &crew{}
	l := newServeLabBy(t, c.start)
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"a sandbox is free", sandboxIsFree},
		{"production admits what is proven", productionAdmitsWhatIsProven},
		{"the cluster's own controllers work", controllersWork},
		{"hands are refused", handsAreRefused},
		{"what Git dropped may go", pruned},
		{"a way back is signed in Git and known to gates", signedWayBack},
		{"break-glass opens and is recorded", glassBreaks},
		{"another prover goes on", c.proverFails},
		{"a gate that goes takes nothing along", c.gateGoes},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			here := *l
			here.t = t
			chapter.tell(&here)
		}) {
			return // what follows would fail for that alone
		}
	}
}

// signedWayBack: the statement stands on a ref that no gate can read.
func signedWayBack(l *serveLab) {
	old, next := l.tip(), l.land("Sell too much\n\nTicket: SHOP-6", map[string]string{story.WebPath: story.Web(2, "", "1.3")})
	l.judged("shop", "tier", next, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Web(2, "", "1.3"), next))
	l.refused(l.deliver(story.Web(2, "", "1.2"), old), "going back")
	l.fairway("rollback", old, "-n", "shop", "--namespace-uid", l.uid("shop"), "--reason", "too much", "--ticket", "INC-2", "-C", l.shop.Clone(),
		"--repository", l.shop.Repo.URL(), "--source", "shop", "--path", "shop/production", "--key", l.shop.Key("paula"), "--as", "paula")
	l.until("the gates know of the statement", func(context.Context) error { return l.deliver(story.Web(2, "", "1.2"), old) })
}

// lease is the one that the leading prover holds.
func (c *crew) lease(ctx context.Context) (*coordinationv1.Lease, error) {
	return c.lab.typed.CoordinationV1().Leases("fairway-system").Get(ctx, "fairway-prover", metav1.GetOptions{})
}

// proverFails: of two provers one works, and the other takes over.
func (c *crew) proverFails(l *serveLab) {
	before, err := c.lease(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	c.addProver("prover-b")
	if err := c.provers["prover-a"].Kill(); err != nil {
		l.t.Fatal(err)
	}
	killed := time.Now()
	delete(c.provers, "prover-a")
	merge := l.land("Sell less\n\nTicket: SHOP-7", map[string]string{story.WebPath: story.Web(2, "", "1.4")})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.t.Logf("a commit was proven %s after the prover that led was killed", time.Since(killed).Round(time.Millisecond))
	l.admitted(l.deliver(story.Web(2, "", "1.4"), merge))
	after, err := c.lease(l.t.Context())
	if err != nil || *after.Spec.HolderIdentity == *before.Spec.HolderIdentity {
		l.t.Errorf("the lease is still %v's, %v", after.Spec.HolderIdentity, err)
	}
}

// gateGoes: one gate ends and another comes, and what was delivered stays delivered.
func (c *crew) gateGoes(l *serveLab) {
	for address, gate := range c.gates {
		c.addGate()
		l.until("three gates are ready", func(context.Context) error {
			if n := c.balancer.Ready(); n != 3 {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
		if err := gate.Stop(); err != nil {
			l.t.Fatal(err)
		}
		delete(c.gates, address)
		c.spread()
		break
	}
	l.refused(l.deliver(story.Web(2, "", "1.0"), l.baseline), "going back")
	l.admitted(l.deliver(story.Web(2, "", "1.4"), l.tip()))
}
