package controller

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestLiveAsksForOwnersOnly, in the version that is served, and tells an owner that is gone from one
// that nobody can tell of.
func TestLiveAsksForOwnersOnly(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/apis/apps/v1/namespaces/shop/deployments/web", "/apis/example.com/v1/widgets/w", "/api/v1/nodes/n":
			_, _ = w.Write([]byte(`{}`))
		case "/apis/apps/v1/namespaces/shop/deployments/gone":
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","details":{"name":"gone"},"code":404}`))
		case "/apis/apps/v1/namespaces/shop/deployments/hidden":
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	live := NewLive(client.Discovery().RESTClient())
	live.Define([]apiextensionsv1.CustomResourceDefinition{{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "example.com", Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "Widget", Plural: "widgets"},
		Scope:    apiextensionsv1.ClusterScoped,
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1beta1", Served: true}, {Name: "v1", Served: true, Storage: true}},
	}}})
	for _, test := range []struct {
		kind            change.Kind
		namespace, name string
		want            change.Found
		calls           int
	}{
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "web", change.Present, 1},
		// The version is the writer's choice: one that is not served must not look like an owner that is gone.
		{change.Kind{Group: "apps", Version: "v1beta1", Kind: "Deployment"}, "shop", "web", change.Present, 1},
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "gone", change.Absent, 1},
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "hidden", change.CouldNotTell, 1},
		{change.Kind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "shop", "unserved", change.CouldNotTell, 1},
		{change.Kind{Group: "example.com", Version: "v1beta1", Kind: "Widget"}, "shop", "w", change.Present, 1},
		{change.Kind{Version: "v1", Kind: "Node"}, "shop", "n", change.Present, 1},
		{change.Kind{Version: "v1", Kind: "Secret"}, "shop", "s", change.CouldNotTell, 0},
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "", "web", change.CouldNotTell, 0},
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "../../secrets/s", change.CouldNotTell, 0},
		{change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "", change.CouldNotTell, 0},
	} {
		asked = nil
		if _, got := live.Object(t.Context(), test.kind, test.namespace, test.name); got != test.want || len(asked) != test.calls {
			t.Errorf("%s %s/%s: %s after asking %v, want %s", test.kind, test.namespace, test.name, got, asked, test.want)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, got := live.Object(ended, change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, "shop", "gone"); got != change.CouldNotTell {
		t.Errorf("after the deadline: %s", got)
	}
}

// TestABellMakesOneOfMany: whoever rings is heard within the limit, however many ring.
func TestABellMakesOneOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bell := NewBell(20*time.Millisecond, 200*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		begun := time.Now()
		var answers []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = bell.Run(ctx, 0, func(context.Context) error {
				answers = append(answers, time.Since(begun))
				return nil
			})
		}()
		ticker := time.NewTicker(10 * time.Millisecond)
		for range 30 { // 300 ms without a pause
			<-ticker.C
			bell.Ring()
		}
		ticker.Stop()
		synctest.Wait()
		<-time.After(time.Second)
		stop()
		<-done
		if len(answers) != 2 || answers[0] > 220*time.Millisecond || answers[1] > 340*time.Millisecond {
			t.Errorf("answered at %v", answers)
		}
	})
}
