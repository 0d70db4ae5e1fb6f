package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// padded is a PodTemplate, which no controller acts on, with an environment of about so many bytes of one character.
func padded(t *testing.T, name, character string, size int) string {
	t.Helper()
	value, err := json.Marshal(strings.Repeat("x", size%len(character)) + "PAD")
	if err != nil {
		t.Fatal(err)
	}
	object := `{"apiVersion":"v1","kind":"PodTemplate","metadata":{"name":"` + name + `","namespace":"shop"},"template":{"metadata":{"labels":{"a":"b"}},
"spec":{"containers":[{"name":"c","image":"evil","env":[{"name":"PADDING","value":` + string(value) + `}]}]}}}`
	// The character as it is, in as many bytes as it has: the API server escapes it when it asks.
	return strings.Replace(object, "PAD\"", strings.Repeat(character, size/len(character))+"\"", 1)
}

// TestT05PaddingOnAnAPIServer: however an object is padded, up to the most that an API server takes from a client and
// to six times that on the way to the gate, it is refused: by an answer, since a webhook that may fail open refuses it
// as well as one that may not.
func TestT05PaddingOnAnAPIServer(t *testing.T) {
	l := newServeLab(t)
	l.judged("shop", "tier", l.tip(), v1alpha1.VerdictAllow)
	const templates = "/api/v1/namespaces/shop/podtemplates"
	characters := []string{"a", "<", "&", "\u2028"}
	sizes := []int{1 << 10, 64 << 10, 1_300_000, 3<<20 - 4096}
	l.unguard()
	for i, c := range characters { // as big as etcd takes them
		if err := request(t, l.config("sara"), "POST", templates, padded(t, fmt.Sprintf("live-%d", i), c, 1_200_000)); err != nil {
			t.Fatal(err)
		}
	}
	l.guard()
	tried := 0
	for _, mode := range []admissionregistrationv1.FailurePolicyType{admissionregistrationv1.Fail, admissionregistrationv1.Ignore} {
		l.failing(mode)
		for i, c := range characters {
			for _, size := range sizes {
				for _, w := range [][3]string{
					{"POST", templates, padded(t, "made", c, size)},
					{"PUT", templates + fmt.Sprintf("/live-%d", i), padded(t, fmt.Sprintf("live-%d", i), c, size)},
				} {
					tried++
					err := request(t, l.config("sara"), w[0], w[1], w[2])
					if err == nil || !strings.Contains(err.Error(), `"strict.fairway.dev" denied the request`) || !strings.Contains(err.Error(), "no proof speaks of") {
						t.Errorf("%s of %d bytes of %q, %s: got %s", w[0], size, c, mode, cut(err))
					}
				}
			}
		}
	}
	t.Logf("%d padded writes, none admitted", tried)
	raw, err := l.typed.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "apiserver_admission_webhook_fail_open_count") && strings.Contains(line, "strict.fairway.dev") {
			t.Errorf("something was let by because nobody answered: %s", line)
		}
	}
	// What is proven still arrives.
	l.admitted(l.deliver(story.Banner, l.tip()))
}

// failing has the strict webhook fail this way, with time enough for a busy machine, and returns when the API server
// does so: it then leaves alone an object that bears the way's name.
func (l *serveLab) failing(mode admissionregistrationv1.FailurePolicyType) {
	l.t.Helper()
	name := "marked-" + strings.ToLower(string(mode))
	hooks := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	config, err := hooks.Get(l.t.Context(), "fairway", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	strict, seconds := &config.Webhooks[0], int32(30)
	strict.FailurePolicy, strict.TimeoutSeconds = &mode, &seconds
	strict.MatchConditions = append(strict.MatchConditions, admissionregistrationv1.MatchCondition{Name: name, Expression: "request.name != '" + name + "'"})
	if _, err := hooks.Update(l.t.Context(), config, metav1.UpdateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	marked := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: shop}\n")
	l.until("the API server has the configuration", func(ctx context.Context) error {
		_, err := l.on("sara", marked).Create(ctx, marked, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

// cut is what came of a write, without the padding that an error may repeat.
func cut(err error) error {
	if err == nil {
		return errors.New("admitted")
	}
	text := err.Error()
	return errors.New(text[:min(len(text), 400)])
}
