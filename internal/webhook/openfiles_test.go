//go:build unix

package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestT32FewDescriptors: connections never take the descriptors that the process needs for its own.
func TestT32FewDescriptors(t *testing.T) {
	type bounds struct{ Conns, PerPeer int }
	for _, tt := range []struct {
		files uint64
		want  bounds
	}{{64, bounds{32, 16}}, {1024, bounds{512, 256}}, {1 << 20, bounds{4096, 1024}}, {^uint64(0), bounds{4096, 1024}}} {
		var l Limits
		l.bindTo(tt.files)
		if diff := cmp.Diff(tt.want, bounds{l.Conns, l.ConnsPerPeer}); diff != "" {
			t.Errorf("%d files (-want +got):\n%s", tt.files, diff)
		}
	}
	if l := (Limits{}).withDefaults(); uint64(l.Conns) > openFiles()/2 {
		t.Errorf("%d connections of %d files", l.Conns, openFiles())
	}
}
