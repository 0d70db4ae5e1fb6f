package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

const (
	// tierWithin and approvalWithin bound how long after the API server is back a tier that was made
	// stricter, and an approval that was taken back, are in force. The second waits for the prover, which
	// ends where it loses its lease, and waits until the lease has run out.
	tierWithin, approvalWithin = 5 * time.Second, time.Minute
	// staleAfter is the --max-staleness of gates that are cut off.
	staleAfter = 10 * time.Second
)

// answer is what a gate says to one review: how it answered, and the verdict where it gave one.
type answer struct {
	http    int
	allowed bool
	message string
}

// asks sends one review to a gate, past the API server: a change of a ConfigMap in a namespace, which
// nobody proved.
func (c *crew) asks(ctx context.Context, gate string, object *unstructured.Unstructured) (answer, error) {
	raw, err := object.MarshalJSON()
	if err != nil {
		return answer{}, err
	}
	dry := true
	kind, resource := metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: types.UID("straight"), Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: object.GetName(), Namespace: object.GetNamespace(), Operation: admissionv1.Create, DryRun: &dry,
			UserInfo: authenticationv1.UserInfo{Username: "tester", Groups: []string{"system:authenticated"}},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+gate+"/validate?timeout=5s", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer{http: response.StatusCode}, nil
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		return answer{}, err
	}
	a := answer{http: response.StatusCode, allowed: review.Response.Allowed}
	if review.Response.Result != nil {
		a.message = review.Response.Result.Message
	}
	return a, nil
}

// free makes a namespace that is open, and returns an object of it when every gate admits it.
func (c *crew) free(name string) *unstructured.Unstructured {
	l := c.lab
	l.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := l.typed.CoreV1().Namespaces().Create(l.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	c.binds(name, "sandbox")
	object := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: free, namespace: "+name+"}\n")
	for gate := range c.gates {
		l.until("a new namespace is open", func(ctx context.Context) error {
			return c.says(ctx, gate, object, true)
		})
	}
	return object
}

// binds puts a namespace into a tier.
func (c *crew) binds(namespace, tier string) {
	c.lab.t.Helper()
	c.lab.admitted(c.lab.apply("admin", "admin", manifest(c.lab.t, fmt.Sprintf(
		"apiVersion: fairway.dev/v1alpha1\nkind: TierBinding\nmetadata: {name: tier, namespace: %s}\nspec: {tier: %s, owners: [shop]}\n", namespace, tier))))
}

// says holds what a gate answers.
func (c *crew) says(ctx context.Context, gate string, object *unstructured.Unstructured, allowed bool) error {
	a, err := c.asks(ctx, gate, object)
	if err == nil && (a.http != http.StatusOK || a.allowed != allowed) {
		err = fmt.Errorf("gate %s answers %+v", gate, a)
	}
	return err
}

// lives holds that no gate has ended.
func (c *crew) lives() {
	c.lab.t.Helper()
	for gate, p := range c.gates {
		if code, over := p.Exited(); over {
			c.lab.t.Errorf("gate %s ended with %d", gate, code)
		}
	}
}

// revive starts the provers again that have ended, as a kubelet does.
func (c *crew) revive() {
	for name, p := range c.provers {
		if _, over := p.Exited(); over {
			c.addProver(name)
		}
	}
}

// thorough is what `make faults` asks for.
func thorough() bool { return *faultTime > staleAfter }

// apiServerGoes ends the API server under load, starts it again, and makes a tier stricter the moment it is
// there: it is in force soon after in every gate, none has ended, and what is proven is admitted as before.
func (c *crew) apiServerGoes(f *traffic) {
	l := c.lab
	for round := range (*faultRounds + 1) / 2 {
		open := c.free(fmt.Sprintf("flip-%d", round))
		approvalIsTaken := func(time.Time) {}
		if thorough() {
			approvalIsTaken = c.approved(f, round)
		}
		y := f.during(*faultClients, func() {
			end := l.cluster.StopAPIServer
			if round%2 == 1 {
				end = l.cluster.KillAPIServer
			}
			if err := end(); err != nil {
				l.t.Fatal(err)
			}
			<-time.NewTimer(*faultTime).C // it is away for a while
			if err := l.cluster.StartAPIServer(l.t.Context()); err != nil {
				l.t.Fatal(err)
			}
			back := time.Now()
			c.binds(open.GetNamespace(), "production")
			for gate := range c.gates {
				l.until("the stricter tier is in force", func(ctx context.Context) error { return c.says(ctx, gate, open, false) })
			}
			took := time.Since(back)
			l.t.Logf("F6: a tier made stricter is in force in all gates %s after the API server is back", took.Round(time.Millisecond))
			if took > tierWithin {
				l.t.Errorf("it took %s, want %s", took, tierWithin)
			}
			c.revive()
			approvalIsTaken(back)
		})
		f.told("F6 while it is away and after", y)
		c.lives()
		c.awaitReady(2)
		y = f.during(*faultClients, func() {})
		f.told("F6 afterwards", y)
		f.spurious(y, 0)
	}
}

// approved lands one more commit with its approvals. What it returns takes one of them back, and awaits that
// nothing of the commit is admitted.
func (c *crew) approved(f *traffic, round int) (taken func(back time.Time)) {
	l := c.lab
	text := strings.Replace(story.Banner, "winter sale", fmt.Sprintf("spring sale %d", round), 1)
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Spring\n\nTicket: SHOP-10", map[string]string{story.BannerPath: text})
	if err != nil {
		l.t.Fatal(err)
	}
	l.approve(head, "sam", "paula")
	next := l.stamped(text, merge, "shop")
	l.until("the next commit is proven", func(ctx context.Context) error { return f.try(ctx, "deployer", next) })
	return func(back time.Time) {
		l.fairway("approve", head, "--withdraw", "-C", l.shop.Clone(), "--repository", l.shop.Repo.URL(), "--key", l.shop.Key("sam"), "--as", "sam")
		l.until("the approval that was taken back counts no more", func(ctx context.Context) error {
			if f.try(ctx, "deployer", next) == nil {
				return errors.New("it does")
			}
			return nil
		})
		took := time.Since(back)
		l.t.Logf("F6: an approval that was taken back counts no more %s after the API server is back", took.Round(time.Millisecond))
		if took > approvalWithin {
			l.t.Errorf("it took %s, want %s", took, approvalWithin)
		}
		l.approve(head, "sam") // or no later commit could be proven
	}
}

// try asks the API server for one apply, as a dry run.
func (f *traffic) try(ctx context.Context, user string, object *unstructured.Unstructured) error {
	_, err := f.lab.on(user, object).Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "deployer", Force: true, DryRun: []string{metav1.DryRunAll}})
	return err
}

// watchStalls cuts one of three gates off from the API server without telling it: the connection stays
// open, and nothing comes. It goes by what it knew for as long as it was told to, and admits nothing in
// gated tiers after that; traffic goes to the others, and it comes back by itself.
func (c *crew) watchStalls(f *traffic) {
	l := c.lab
	wire, err := controlplane.NewWire(strings.TrimPrefix(l.cluster.Config.Host, "https://"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() {
		if err := wire.Close(); err != nil {
			l.t.Error(err)
		}
	}()
	config, err := l.cluster.ConfigFor(roleUser("fairway-gate"))
	if err != nil {
		l.t.Fatal(err)
	}
	config.Host = "https://" + wire.Address()
	path := filepath.Join(l.dir, "stalled.kubeconfig")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		l.t.Fatal(err)
	}
	cutOff := c.addGate("--kubeconfig", path, "--max-staleness", staleAfter.String())
	c.awaitReady(3)
	for round := range (*faultRounds + 1) / 2 {
		open := c.free(fmt.Sprintf("stall-%d", round))
		y := f.during(*faultClients, func() { c.stall(wire, cutOff, open) })
		f.told("F6 a watch stalls", y)
		f.spurious(y, 0)
		c.lives()
	}
	if err := c.gates[cutOff].Stop(); err != nil {
		l.t.Fatal(err)
	}
	delete(c.gates, cutOff)
	c.spread()
	c.awaitReady(2)
}

// stall holds one gate's wire for longer than its knowledge counts, and makes a tier stricter meanwhile.
func (c *crew) stall(wire *controlplane.Wire, gate string, open *unstructured.Unstructured) {
	l := c.lab
	gated := manifest(l.t, strings.Replace(story.Banner, "winter sale", "free", 1))
	began := time.Now()
	wire.Stall()
	c.binds(open.GetNamespace(), "production")
	var last time.Time // that it admitted what is open as far as it knows
	l.until("the gate is too old to judge", func(ctx context.Context) error {
		a, err := c.asks(ctx, gate, open)
		if err != nil {
			return err
		}
		if a.allowed {
			last = time.Now()
		}
		if a.http != http.StatusServiceUnavailable {
			return fmt.Errorf("it answers %+v", a)
		}
		return nil
	})
	if took := last.Sub(began); took > staleAfter+time.Second {
		l.t.Errorf("it went by what it knew for %s, want %s", took, staleAfter)
	}
	a, err := c.asks(l.t.Context(), gate, gated)
	if err != nil || a.allowed || a.http != http.StatusOK || !strings.Contains(a.message, "FW4") {
		l.t.Errorf("in a gated tier it answers %+v, %v", a, err)
	}
	c.awaitReady(2)
	if thorough() {
		<-time.NewTimer(3 * *faultTime).C // longer than a connection may be silent: it is given up
	}
	wire.Resume()
	resumed := time.Now()
	l.until("it has heard of the stricter tier", func(ctx context.Context) error {
		a, err := c.asks(ctx, gate, open)
		if err == nil && (a.http != http.StatusOK || a.allowed || strings.Contains(a.message, "FW403")) {
			err = fmt.Errorf("it answers %+v", a)
		}
		return err
	})
	c.awaitReady(3)
	l.t.Logf("F6: a gate that hears nothing went by what it knew for %s of %s, and was current %s after it heard again",
		last.Sub(began).Round(100*time.Millisecond), staleAfter, time.Since(resumed).Round(time.Millisecond))
}
