package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/prover"
)

// TestT33LargeRendersAreNotHoarded: a render within its limits can name ten thousand files by four thousand
// letters each. What is kept of such is bounded, and a small one is kept beside them.
func TestT33LargeRendersAreNotHoarded(t *testing.T) {
	r := &renders{now: time.Now}
	files := slices.Repeat([]string{strings.Repeat("x", 4000)}, 2500) // 10 MB
	for i := range 40 {
		r.put(fmt.Sprint("large", i), prover.Rendered{Closure: change.Closure{Files: files}}, false)
		held := 0
		for _, k := range r.kept {
			held += sizeOf(k.rendered)
		}
		if held != r.size || held > renderBytes {
			t.Fatalf("after %d renders %d bytes are held, and %d counted", i+1, held, r.size)
		}
	}
	if _, kept := r.get("large39"); !kept {
		t.Error("the newest is not kept")
	}
	r.put("large39", prover.Rendered{}, false) // in its place
	r.put("endless", prover.Rendered{Closure: change.Closure{Missing: slices.Repeat(files, 8)}}, false)
	if _, kept := r.get("endless"); kept {
		t.Error("what is larger than everything that may be kept is kept")
	}
	r.put("small", prover.Rendered{Refusal: "is not YAML"}, false)
	if got, kept := r.get("small"); !kept || got.Refusal != "is not YAML" || r.size != sizeOf(got) {
		t.Errorf("kept %t, %+v, %d bytes", kept, got, r.size)
	}
}
