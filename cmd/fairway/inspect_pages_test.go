package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/store"
)

// TestALookNamesThePage: what the cluster knows of a change's page is shown with who may still approve,
// and brings no approval, whatever else it says.
func TestALookNamesThePage(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	proofs, _ := p.l.in.directory.shelf.Known(change.SourceKey{Repository: "apps", Branch: "main", Path: "shop/production", Namespace: "shop"})
	stored := &v1alpha1.ProvenCommit{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a"},
		Spec:       v1alpha1.ProvenCommitSpec{Source: v1alpha1.ProvenSource{Name: "shop", Repository: "apps", Branch: "main", Path: "shop/production"}},
	}
	for _, proof := range proofs {
		if proof.Commit == merge {
			stored.Status = store.ToStatus(proof, time.Now())
		}
	}
	if len(stored.Status.Reviews) != 1 || len(stored.Status.Reviews[0].Approvers) != 2 {
		t.Fatalf("the proof keeps %+v, want one page with two who approved", stored.Status.Reviews)
	}
	o := cli.InspectOptions{Clone: p.l.shop.Repo.Dir, Dir: p.l.shop.World(""), Own: "fairway-system", Namespace: "shop", Revision: merge}
	in, err := newInspector(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.repo.Close() }()
	works, err := in.works(o)
	if err != nil || len(works) != 1 {
		t.Fatalf("%d works, %v", len(works), err)
	}
	for _, tc := range []struct{ branch, want string }{{"main", d.URL}, {"other", ""}} {
		stored.Spec.Source.Branch = tc.branch
		in.proofs = apiWith(t, stored.DeepCopy())
		got, err := in.one(t.Context(), works[0], merge)
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict == "Allow" || len(got.Approvers) != 0 {
			t.Errorf("a look without a forge says %s, approved by %v", got.Verdict, got.Approvers)
		}
		if has := strings.Contains(got.Message, d.URL); has != (tc.want != "") {
			t.Errorf("proofs of branch %s: the page is named: %t\n%s", tc.branch, has, got.Message)
		}
		if !strings.Contains(got.Message, "sam") {
			t.Errorf("nobody is named who could approve:\n%s", got.Message)
		}
	}
}
