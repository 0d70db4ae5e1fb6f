package story

import (
	"strings"
	"testing"
)

func TestAnApplyIsRecordedAsTheAPIServerRecordsIt(t *testing.T) {
	s := NewServer()
	review, keep, err := s.Try(Write{Apply: true, Manager: "flux", User: "u", Object: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {k: v}\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(review.Request.Object.Raw); !strings.Contains(got, `"operation":"Apply"`) || !strings.Contains(got, `"f:k":{}`) {
		t.Errorf("the applied object has no Apply entry with its field: %s", got)
	}
	keep()
	review, _, err = s.Try(Write{Manager: "kubectl-edit", User: "u", Object: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {k: w}\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(review.Request.Object.Raw); review.Request.Operation != "UPDATE" || !strings.Contains(got, `"operation":"Update"`) {
		t.Errorf("%s of the edited object records no Update entry: %s", review.Request.Operation, got)
	}
	if !strings.Contains(string(review.Request.OldObject.Raw), `"k":"v"`) {
		t.Errorf("the old object is not the kept one: %s", review.Request.OldObject.Raw)
	}
}
