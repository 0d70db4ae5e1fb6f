package main

import (
	"net/http"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/cli"
)

// TestApprovalsByAnAlias: who cloned over another transport signs for the same repository, once the
// Repository says that it is the same.
func TestApprovalsByAnAlias(t *testing.T) {
	const alias = "ssh://git@git.example.com/apps.git"
	l := newLab(t)
	merge, head, err := l.shop.Land(t.Context(), "sara", message, version("2.0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"sam", "paula"} {
		l.approve(who, head, func(o *cli.ApproveOptions) { o.Repository = alias })
	}
	l.look()
	l.refuses(http.StatusForbidden, l.apply(story.Web(2, "", "2.0"), merge), "FW103")
	l.edit("repository.yaml", "  branches: [main]", "  aliases: ['"+alias+"']\n  branches: [main]")
	l.look()
	l.admits("proven", l.apply(story.Web(2, "", "2.0"), merge))
}
