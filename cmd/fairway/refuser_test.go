package main

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// TestR8EveryJudgeKnowsWhoRefuses: the front asks whichever of them it was given; one that has read nothing yet
// refuses.
func TestR8EveryJudgeKnowsWhoRefuses(t *testing.T) {
	late := &lateGate{}
	for _, judge := range []webhook.Judge{late, &judging{}, &gate.Gate{}} {
		if _, is := judge.(webhook.Refuser); !is {
			t.Errorf("%T cannot say whether a tier refuses", judge)
		}
	}
	if !late.Refuses(&change.Request{}) {
		t.Error("who has read nothing refuses nothing")
	}
}
