package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// hostileForge is a forge that gives back what it was asked with, in the way that is set.
type hostileForge struct {
	*httptest.Server
	mu     sync.Mutex
	way    string
	asked  int    // with a token, since the way was set
	others []byte // what was sent to hosts that are not the forge: redirects, and the collector of traces
	thief  *httptest.Server
}

// hostileWays are the ways, and why the forge could not be asked then; an empty one: it could.
var hostileWays = []struct{ way, why string }{
	{"message", "answer 500"}, {"forbidden", "refused to this token"}, {"redirect", "not the host that the credentials are for"},
	{"malformed", "no answer"}, {"page", "answer not understood"}, {"chatter", ""},
}

func newHostileForge(t *testing.T) *hostileForge {
	t.Helper()
	h := &hostileForge{}
	h.thief = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.others = append(fmt.Appendf(h.others, "%s %s %v\n", req.Method, req.URL, req.Header), body...)
	}))
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.thief.Close)
	t.Cleanup(h.Server.Close)
	return h
}

func (h *hostileForge) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	said := token + " " + base64.StdEncoding.EncodeToString([]byte(token))
	h.mu.Lock()
	way := h.way
	if token != "" {
		h.asked++
	}
	h.mu.Unlock()
	w.Header().Set("Set-Cookie", "session="+token)
	w.Header().Set("Content-Type", "application/json")
	switch way {
	case "message", "forbidden":
		w.WriteHeader(map[string]int{"message": http.StatusInternalServerError, "forbidden": http.StatusForbidden}[way])
		_ = json.NewEncoder(w).Encode(map[string]string{"message": said})
	case "redirect":
		w.Header().Set("Location", h.thief.URL+"/?"+token)
		w.WriteHeader(http.StatusFound)
	case "malformed", "chatter":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if way == "malformed" {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", said)
			_ = conn.Close()
			return
		}
		_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
		time.AfterFunc(50*time.Millisecond, func() { _, _ = fmt.Fprint(conn, said) })
	default:
		_ = json.NewEncoder(w).Encode([]map[string]any{{"number": 7, "html_url": "https://x/" + said, "updated_at": said, "base": map[string]any{"ref": "main"}}})
	}
}

// turn sets the way.
func (h *hostileForge) turn(way string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.way, h.asked = way, 0
}

// TestT38HostileForge: a forge that gives back the token that it was asked with, in plain and in base64,
// in every part of an answer, gets it into nothing that anybody can read: no denial, condition, Event,
// proof, metric, trace or log. The condition ForgeAsked says what happened, in Fairway's words.
func TestT38HostileForge(t *testing.T) {
	h := newHostileForge(t)
	var tokens []string
	l := newServeLabOn(t, controlplane.Options{}, func(l *serveLab) {
		f := &forgeLab{serveLab: l}
		f.edit("repository.yaml", "approvalSources: [Attestation]", fmt.Sprintf(`approvalSources: [Forge]
  forge: {kind: Gitea, url: %q, project: acme/apps, privateAddresses: Allow, credentialsSecret: {name: forge}}`, h.URL))
		f.edit("tiers.yaml", "level: Signed", "level: Forge")
		l.more = []string{"--trace-endpoint", h.thief.URL + "/v1/traces", "--trace-ratio", "1"}
		l.serve()
	})
	merge, _, err := l.shop.Land(t.Context(), "sara", "A change\n\nTicket: SHOP-7", webFiles("2.0"))
	if err != nil {
		t.Fatal(err)
	}
	var denials strings.Builder
	for i, w := range hostileWays {
		h.turn(w.way)
		tokens = append(tokens, fmt.Sprintf("canary-%d-0123456789abcdef", i))
		l.token(t, tokens[i]) // another token is another reader, which waits for nothing
		l.until("the forge is asked: "+w.way, func(context.Context) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.asked == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		l.until("the condition ForgeAsked: "+w.way, func(ctx context.Context) error { return l.forgeAsked(ctx, w.why) })
		if err := l.deliver(story.Web(2, "", "2.0"), merge); err == nil {
			t.Errorf("%s: a commit that nobody approved is admitted", w.way)
		} else {
			denials.WriteString(err.Error() + "\n")
		}
	}
	l.until("net/http tells of the chatter", func(context.Context) error {
		if !strings.Contains(l.program.Log(), "it is not quoted") {
			return errors.New("not yet")
		}
		return nil
	})
	if !strings.Contains(denials.String(), "could not ask the forge") {
		t.Errorf("no denial says that the forge could not be asked: %s", denials.String())
	}
	told := l.everythingTold(t)
	told["denials"] = denials.String()
	h.mu.Lock()
	told["what other hosts were sent"] = string(h.others)
	h.mu.Unlock()
	if !strings.Contains(told["what other hosts were sent"], "/v1/traces") {
		t.Error("no trace was sent: there is nothing to look at")
	}
	for where, text := range told {
		if text == "" {
			t.Errorf("%s: nothing to look at", where)
		}
		for _, token := range tokens {
			for _, form := range []string{token, base64.StdEncoding.EncodeToString([]byte(token))} {
				if strings.Contains(text, form) {
					t.Errorf("%s: a token is told", where)
				}
			}
		}
	}
}

// token puts another token into the Secret.
func (l *serveLab) token(t *testing.T, token string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: "forge"}, StringData: map[string]string{v1alpha1.ForgeToken: token}}
	api := l.typed.CoreV1().Secrets("fairway-system")
	if err := api.Delete(t.Context(), "forge", metav1.DeleteOptions{}); err != nil && !strings.Contains(err.Error(), "not found") {
		t.Fatal(err)
	}
	if _, err := api.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// forgeAsked says nothing if the condition of that name is False for a reason, or True for none.
func (l *serveLab) forgeAsked(ctx context.Context, why string) error {
	object, err := l.as("admin").Resource(fairwayResource("Repository")).Get(ctx, "apps", metav1.GetOptions{})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(object.Object)
	if err != nil {
		return err
	}
	var r v1alpha1.Repository
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	for _, c := range r.Status.Conditions {
		if c.Type == v1alpha1.ConditionForgeAsked && (c.Status == metav1.ConditionTrue) == (why == "") && strings.Contains(c.Message, why) {
			return nil
		}
	}
	return fmt.Errorf("want %q, the conditions are %+v", why, r.Status.Conditions)
}

// everythingTold is all that Fairway writes anywhere, by where.
func (l *serveLab) everythingTold(t *testing.T) map[string]string {
	t.Helper()
	metrics, err := l.metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{"log": l.program.Log(), "metrics": metrics}
	for _, kind := range []string{"EnvironmentTier", "TierBinding", "Team", "Repository", "ProvenCommit", "Delivery"} {
		told[kind] = l.listed(t, fairwayResource(kind))
	}
	told["Events"] = l.listed(t, schema.GroupVersionResource{Version: "v1", Resource: "events"}) +
		l.listed(t, schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"})
	for _, reason := range []string{v1alpha1.ReasonForgeUnasked, v1alpha1.ReasonForgeAnswered} {
		if !strings.Contains(told["Events"], reason) {
			t.Errorf("no Event says %s", reason)
		}
	}
	return told
}

func (l *serveLab) listed(t *testing.T, resource schema.GroupVersionResource) string {
	t.Helper()
	list, err := l.as("admin").Resource(resource).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(list.Items)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
