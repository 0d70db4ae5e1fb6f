package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// large is a Deployment of about 6 KiB as JSON.
func large(tag string) string {
	var env strings.Builder
	for i := range 60 {
		fmt.Fprintf(&env, "\n        - {name: SETTING_%02d, value: \"a value of some length, number %d\"}", i, i)
	}
	return story.Web(2, "", tag) + "        env:" + env.String() + "\n"
}

// BenchmarkVerdict is the verdict in process, without the HTTP front: lanes, look-up, binding and
// judgement of a Deployment of 6 KiB (bar P1).
func BenchmarkVerdict(b *testing.B) {
	l := newLab(b)
	first := l.land("sara", map[string]string{story.WebPath: large("1.0")}, "sam", "paula")
	second := l.land("sara", map[string]string{story.WebPath: large("2.0")}, "sam", "paula")
	l.look()
	write := func(server *story.Server, manifest, commit string) change.Request {
		review, keep, err := server.Try(l.apply(manifest, commit))
		if err != nil {
			b.Fatal(err)
		}
		keep()
		r := review.Request
		id := change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
		return change.Request{
			UID: string(r.UID), Operation: change.Operation(r.Operation), Namespace: "shop", Name: "web", ID: id,
			Kind:     change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource: change.Resource{Group: "apps", Version: "v1", Resource: "deployments"},
			User:     change.User{Name: r.UserInfo.Username}, Object: r.Object.Raw, Old: r.OldObject.Raw, FieldManager: "deployer",
		}
	}
	create := write(story.NewServer(), large("2.0"), second)
	write(l.server, large("1.0"), first)
	update := write(l.server, large("2.0"), second)
	same := update
	same.Object = same.Old
	open := create
	open.Namespace, open.ID.Namespace = "play", "play"
	for _, c := range []struct {
		name    string
		request change.Request
		lane    policy.Lane
	}{
		{"no-op", same, policy.LaneNoOp}, {"open", open, policy.LaneOpen},
		{"proven-create", create, policy.LaneProven}, {"proven-update", update, policy.LaneProven},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.request.DryRun = true // a delivery is marked once, and not what is measured
			b.ReportAllocs()
			b.SetBytes(int64(len(c.request.Object)))
			for b.Loop() {
				if v := l.in.gate.Judge(b.Context(), &c.request); v.Outcome != policy.Allow || v.Lane != c.lane {
					b.Fatalf("%v on lane %q: %s", v.Outcome, v.Lane, v.Message())
				}
			}
		})
	}
}
