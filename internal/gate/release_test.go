package gate

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

const helmRecord = `{"apiVersion":"v1","kind":"Secret","type":"helm.sh/release.v1","metadata":{"name":"sh.helm.release.v1.shop.v12","namespace":"shop",
 "labels":{"owner":"helm","name":"shop","status":"deployed","version":"12","modifiedAt":"1764183600"}},"data":{"release":"SDRzSUFBQUE="}}`

// TestReleaseOf: a record of a release is what Helm writes, and with anything beside it is a Secret like
// any other.
func TestReleaseOf(t *testing.T) {
	if got := releaseOf([]byte(helmRecord)); got != "shop" {
		t.Fatalf("as Helm writes it: %q", got)
	}
	for name, edit := range map[string][2]string{
		"another type":         {`helm.sh/release.v1","meta`, `Opaque","meta`},
		"another name":         {`release.v1.shop.v12`, `release.v1.shop.v13`},
		"another release":      {`"name":"shop"`, `"name":"web"`},
		"no number":            {`"version":"12"`, `"version":"12a"`},
		"not helm's":           {`"owner":"helm"`, `"owner":"mallory"`},
		"no labels":            {`"labels"`, `"lables"`},
		"a label of one's own": {`"owner":"helm"`, `"owner":"helm","app":"web"`},
		"an annotation":        {`"labels"`, `"annotations":{"a":"b"},"labels"`},
		"an owner":             {`"labels"`, `"ownerReferences":[{"kind":"Pod"}],"labels"`},
		"a finalizer":          {`"labels"`, `"finalizers":["a/b"],"labels"`},
		"one more entry":       {`"data":{`, `"data":{"token":"c2VjcmV0",`},
		"other data":           {`"release":"SD`, `"config":"SD`},
		"a string":             {`"data"`, `"stringData":{"a":"b"},"data"`},
		"kept for ever":        {`"type"`, `"immutable":true,"type"`},
		"not JSON":             {`{"apiVersion"`, `{{"apiVersion"`},
	} {
		edited := strings.Replace(helmRecord, edit[0], edit[1], 1)
		if edited == helmRecord {
			t.Fatalf("%s: nothing was edited", name)
		}
		if got := releaseOf([]byte(edited)); got != "" {
			t.Errorf("%s: taken for a record of %q", name, got)
		}
	}
}

// TestReleaseBeforeAndAfter: an update makes a record of nothing else, and takes none away.
func TestReleaseBeforeAndAfter(t *testing.T) {
	secret := change.Kind{Version: "v1", Kind: "Secret"}
	other := strings.Replace(helmRecord, `"labels"`, `"annotations":{"a":"b"},"labels"`, 1)
	for name, tt := range map[string]struct {
		op                change.Operation
		old, object, want string
	}{
		"made":             {change.Create, "", helmRecord, "shop"},
		"updated":          {change.Update, helmRecord, helmRecord, "shop"},
		"made of another":  {change.Update, other, helmRecord, ""},
		"turned into one":  {change.Update, helmRecord, other, ""},
		"removed":          {change.Delete, helmRecord, "", "shop"},
		"another one goes": {change.Delete, other, "", ""},
	} {
		c := begun(asked(tt.op, secret, "shop", "sh.helm.release.v1.shop.v12", tt.old, tt.object))
		if got := c.release(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestTokenCommit: the commit that a pipeline's token names selects, like a stamp, and must not contradict
// one. A token of somebody who does not deliver the source says nothing.
func TestTokenCommit(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	via := tier.Via{Engine: "CI", CommitClaim: "ci/sha", Claims: []tier.Claim{{Key: "ci/repository", Values: []string{"acme/shop"}}}}
	for name, tt := range map[string]struct {
		extra     map[string][]string
		stamped   string
		want      string
		conflicts int
	}{
		"named":             {map[string][]string{"ci/sha": {a}, "ci/repository": {"acme/shop"}}, "", a, 0},
		"named and stamped": {map[string][]string{"ci/sha": {a}, "ci/repository": {"acme/shop"}}, a, a, 0},
		"contradicted":      {map[string][]string{"ci/sha": {a}, "ci/repository": {"acme/shop"}}, b, b, 1},
		"of a fork":         {map[string][]string{"ci/sha": {a}, "ci/repository": {"mallory/shop"}}, "", "", 0},
		"no commit":         {map[string][]string{"ci/sha": {"main"}, "ci/repository": {"acme/shop"}}, "", "", 0},
		"two of them":       {map[string][]string{"ci/sha": {a, b}, "ci/repository": {"acme/shop"}}, "", "", 0},
		"no token":          {nil, b, b, 0},
	} {
		c := begun(asked(change.Create, change.Kind{Version: "v1", Kind: "ConfigMap"}, "shop", "a", "", "{}"))
		c.bindings = []tier.Binding{{Namespace: "shop", Sources: []tier.Source{{Name: "web", Repository: "apps", Via: via}}}}
		c.facts.Request.User.Extra, c.facts.Origin.Commit = tt.extra, tt.stamped
		c.tokenCommit()
		if o := c.facts.Origin; o.Commit != tt.want || len(o.Conflicts) != tt.conflicts {
			t.Errorf("%s: commit %q and conflicts %q", name, o.Commit, o.Conflicts)
		}
	}
}

// TestT10HooksOfARollbackAlone: Helm reads the moments of a hook so.
func TestT10HooksOfARollbackAlone(t *testing.T) {
	for moments, want := range map[string]bool{
		"pre-rollback": true, " Post-Rollback ,pre-rollback": true, "pre-rollback,pre-upgrade": false, "pre-upgrade": false, "": false, ",": false,
	} {
		o, err := canon.Parse([]byte(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a","annotations":{"helm.sh/hook":"` + moments + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := ofRollback(o); got != want {
			t.Errorf("%q: %t, want %t", moments, got, want)
		}
	}
	bare, err := canon.Parse([]byte(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"}}`))
	if err != nil || ofRollback(bare) {
		t.Errorf("without annotations: %v", err)
	}
}

// TestBindingsBeside: the cluster binding stands beside a namespace's own where it may deliver too: what an engine
// brings to a namespace of the cluster. Before, nobody could keep the records of its releases there.
func TestBindingsBeside(t *testing.T) {
	secret := change.Kind{Version: "v1", Kind: "Secret"}
	for name, tt := range map[string]struct {
		user, namespace, first string
		beside                 int
	}{
		"an engine, in a namespace of the cluster": {"engine", "network", "network", 1},
		"somebody else":                       {"mallory", "network", "network", 0},
		"an engine, in one without a binding": {"engine", "kube-system", "fairway-system", 0},
		"an engine, in any other":             {"engine", "play", "play", 0},
	} {
		req := asked(change.Create, secret, tt.namespace, "sh.helm.release.v1.shop.v12", "", helmRecord)
		req.User.Name = tt.user
		c := begun(req)
		if c.facts.Binding.Namespace != tt.first || len(c.facts.Beside) != tt.beside || tt.beside == 1 && c.facts.Beside[0].Name != "cluster" {
			t.Errorf("%s: first %s/%s, beside %+v", name, c.facts.Binding.Namespace, c.facts.Binding.Name, c.facts.Beside)
		}
	}
}
