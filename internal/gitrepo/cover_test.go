package gitrepo

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

func TestSmoke(t *testing.T) {
	f := newForge(t)
	base := files{"apps/web.yaml": "a\nb\nc\nd\ne\nf\n", "apps/z": "1\n", "other/x": "1\n"}
	c0 := f.commit("root", base)
	u1 := f.commit("u1", base.with("apps/web.yaml", "a\nB\nc\nd\ne\nf\n"), c0)
	c1 := f.commit("y", base.with("apps/web.yaml", "a\nb\nc\nd\ne\nF\n"), c0)
	c2 := f.merge(c1, u1)
	m := f.mirrorOf(c2, u1)
	raw, err := m.RawDiffID(ctx(t), c0, u1)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := m.Cover(ctx(t), CoverRequest{Base: c0, Head: c2, Closure: change.Closure{Prefix: "apps"}, Units: []change.Unit{{c0, u1, raw}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		t.Logf("%+v", s)
		if s.Landing != nil {
			t.Logf("   %+v", *s.Landing)
		}
	}
}
