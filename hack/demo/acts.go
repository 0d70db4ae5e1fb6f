package main

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/story"
)

// deployer is the user of the delivery pipeline, and the field manager that it applies as.
const deployer = "deployer"

// step is one request and how it must come out.
type step struct {
	title  string
	lane   string // that admits it; empty: refused
	reason string // what a refusal must say
	made   func(ctx context.Context) (answer, error)
}

// play sends the request of a step and checks the verdict.
func (s *stage) play(ctx context.Context, st step) error {
	got, err := st.made(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", st.title, err)
	}
	if got.allowed != (st.lane != "") || got.lane != "" && got.allowed && got.lane != st.lane {
		return fmt.Errorf("%s: allowed %v on lane %q, want lane %q: %s", st.title, got.allowed, got.lane, st.lane, got.message)
	}
	if !got.allowed {
		if !strings.Contains(got.message, st.reason) {
			return fmt.Errorf("%s: refused, but not for %q: %s", st.title, st.reason, got.message)
		}
		s.refused++
		s.say("  refused   %-50s %s", st.title, first(got.message))
		return nil
	}
	s.admitted++
	s.say("  admitted  %-50s lane %s", st.title, st.lane)
	return nil
}

// first is the first line of a message.
func first(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return line
}

// applies is a server-side apply by the pipeline, with the stamp of a commit.
func (s *stage) applies(manifest, commit string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		stamped, err := stamp(manifest, commit)
		if err != nil {
			return answer{}, err
		}
		return s.place.write(ctx, story.Write{Object: stamped, User: deployer, Manager: deployer, Apply: true})
	}
}

// writes is any other write.
func (s *stage) writes(w story.Write) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) { return s.place.write(ctx, w) }
}

// stamp writes where a manifest comes from on it, as `fairway stamp` does.
func stamp(manifest, commit string) (string, error) {
	var object map[string]any
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		return "", fmt.Errorf("reading a manifest: %w", err)
	}
	meta, _ := object["metadata"].(map[string]any)
	meta["annotations"] = map[string]any{
		"fairway.dev/repository": "apps", "fairway.dev/commit": commit, "fairway.dev/source": "shop",
	}
	stamped, err := yaml.Marshal(object)
	return string(stamped), err
}

// sandbox shows the fast lane, and production's first delivery.
func (s *stage) sandbox(ctx context.Context) error {
	s.say("\nThe sandbox is free; production starts from what its owners sealed as the baseline.")
	if err := s.play(ctx, step{title: "sara tries something out in the sandbox", lane: "open", made: s.writes(
		story.Write{Object: strings.ReplaceAll(story.Banner, "shop", "play"), User: "sara", Manager: "kubectl-create"})}); err != nil {
		return err
	}
	tip, err := s.shop.Tip(ctx)
	if err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "production gets version 1.0", lane: "proven", made: s.applies(story.Web(2, "", "1.0"), tip)}); err != nil {
		return err
	}
	return s.play(ctx, step{title: "and its banner", lane: "proven", made: s.applies(story.Banner, tip)})
}

// approves has somebody approve a change with the command line, in a clone.
func (s *stage) approves(ctx context.Context, who, revision string) error {
	if _, err := s.command(ctx, nil, "git", "-C", s.shop.Clone(), "fetch", "--quiet", "origin"); err != nil {
		return err
	}
	_, err := s.command(ctx, nil, s.binary, "approve", revision, "-C", s.shop.Clone(), "--repository", s.shop.Repo.URL(), "--key", s.shop.Key(who), "--as", who)
	return err
}

// review shows what production asks of a change, one missing piece after the other.
func (s *stage) review(ctx context.Context) error {
	s.say("\nProduction admits what Git renders at a signed, covered, approved commit.")
	unsigned, err := s.shop.Push(ctx, "sara", false, "Sell more\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	if err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "sara pushes without a signature", reason: "sign", made: s.applies(story.Web(2, "", "1.1"), unsigned)}); err != nil {
		return err
	}
	if _, err := s.shop.Push(ctx, "sara", true, "Take it back\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(2, "", "1.0")}); err != nil {
		return err
	}
	merge, head, err := s.shop.Land(ctx, "sara", "Serve version 2.0\n\nTicket: SHOP-3", map[string]string{story.WebPath: story.Web(2, "", "2.0")})
	if err != nil {
		return err
	}
	two := s.applies(story.Web(2, "", "2.0"), merge)
	if err := s.play(ctx, step{title: "sara signs, nobody has reviewed", reason: "approv", made: two}); err != nil {
		return err
	}
	for _, review := range [...]struct{ who, title, lane string }{
		{"sara", "sara approves her own change", ""},
		{"sam", "sam approves, of the same team as sara", ""},
		{"paula", "paula of the platform team approves too", "proven"},
	} {
		if err := s.approves(ctx, review.who, head); err != nil {
			return err
		}
		if err := s.settled(ctx); err != nil {
			return err
		}
		if err := s.play(ctx, step{title: review.title, lane: review.lane, reason: "approv", made: two}); err != nil {
			return err
		}
	}
	return nil
}

// settled waits until fairway has looked at the repository once more.
func (s *stage) settled(ctx context.Context) error {
	before, err := s.looks(ctx)
	if err != nil {
		return err
	}
	return s.await(ctx, "fairway to look at the repository", func() (bool, error) {
		now, err := s.looks(ctx)
		return now >= before+2, err // the look under way may have begun before
	})
}

// hidden shows that a push under an approved change is seen, and covered once it is reviewed.
func (s *stage) hidden(ctx context.Context) error {
	s.say("\nNothing rides along unseen.")
	slipped, err := s.shop.Push(ctx, "pete", true, "Tune the network\n\nTicket: OPS-7", map[string]string{story.WebPath: story.Web(2, story.HostNetwork, "2.0")})
	if err != nil {
		return err
	}
	merge, head, err := s.shop.Land(ctx, "sara", "Run three replicas\n\nTicket: SHOP-4", map[string]string{story.WebPath: story.Web(3, story.HostNetwork, "2.0")})
	if err != nil {
		return err
	}
	for _, who := range [...]string{"sam", "paula"} {
		if err := s.approves(ctx, who, head); err != nil {
			return err
		}
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	apply := s.applies(story.Web(3, story.HostNetwork, "2.0"), merge)
	if err := s.play(ctx, step{title: "pete's push hides under an approved change", reason: slipped[:7], made: apply}); err != nil {
		return err
	}
	if err := s.approves(ctx, "sara", slipped); err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	return s.play(ctx, step{title: "sara, an owner, has reviewed pete's push", lane: "proven", made: apply})
}

// hands shows that copied marks help nobody.
func (s *stage) hands(ctx context.Context) error {
	s.say("\nMarks are hints, content is evidence.")
	tip, err := s.shop.Tip(ctx)
	if err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "another image under the stamp of that commit", reason: "differ", made: s.applies(story.Web(3, story.HostNetwork, "evil"), tip)}); err != nil {
		return err
	}
	stamped, err := stamp(story.Web(9, story.HostNetwork, "2.0"), tip)
	if err != nil {
		return err
	}
	return s.play(ctx, step{title: "an edit by hand, marks and manager name copied", reason: "spec.replicas", made: s.writes(
		story.Write{Object: stamped, User: "admin", Groups: []string{"system:masters"}, Manager: deployer})})
}

// back shows roll-back and pruning.
func (s *stage) back(ctx context.Context) error {
	s.say("\nThe way back is short, and what Git dropped may go.")
	old, err := s.command(ctx, nil, "git", "-C", s.shop.Repo.Dir, "log", "--first-parent", "--format=%H", "--grep=version 2.0", "main")
	if err != nil {
		return err
	}
	target := strings.Fields(old)[0]
	rollback := s.applies(story.Web(2, "", "2.0"), target)
	if err := s.play(ctx, step{title: "back to 2.0 without a word", reason: "roll", made: rollback}); err != nil {
		return err
	}
	uid, err := s.place.uid(ctx)
	if err != nil {
		return err
	}
	if _, err := s.command(ctx, nil, s.binary, "rollback", target, "-C", s.shop.Clone(), "-n", "shop", "--namespace-uid", uid,
		"--repository", s.shop.Repo.URL(), "--path", "shop/production", "--source", "shop", "--reason", "2.0 was faster", "--ticket", "INC-1",
		"--key", s.shop.Key("sam"), "--as", "sam"); err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "sam signs the roll-back", lane: "rollback", made: rollback}); err != nil {
		return err
	}
	prune := func(ctx context.Context) (answer, error) { return s.place.remove(ctx, "banner", deployer) }
	if err := s.play(ctx, step{title: "deleting the banner while Git has it", reason: "renders it", made: prune}); err != nil {
		return err
	}
	merge, head, err := s.shop.Land(ctx, "sam", "End the sale\n\nTicket: SHOP-5", map[string]string{story.BannerPath: ""})
	if err != nil {
		return err
	}
	for _, who := range [...]string{"sara", "pete"} {
		if err := s.approves(ctx, who, head); err != nil {
			return err
		}
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "the commit that drops it is delivered", lane: "proven", made: s.applies(story.Web(3, story.HostNetwork, "2.0"), merge)}); err != nil {
		return err
	}
	return s.play(ctx, step{title: "pruning the banner", lane: "delete", made: prune})
}

// emergency shows break-glass: two people sign, one namespace opens to one user for a while.
func (s *stage) emergency(ctx context.Context) error {
	s.say("\nAn emergency has a door, and the door has a book.")
	edit := story.Write{Object: story.Web(6, story.HostNetwork, "2.0"), User: "sara", Manager: "kubectl-edit"}
	if err := s.play(ctx, step{title: "sara edits production by hand", reason: "FW", made: s.writes(edit)}); err != nil {
		return err
	}
	uid, err := s.place.uid(ctx)
	if err != nil {
		return err
	}
	request, err := s.command(ctx, nil, s.binary, "breakglass", "request", "-n", "shop", "--namespace-uid", uid, "--user", "sara",
		"--reason", "the sale overruns us", "--ticket", "INC-2", "--for", "30m", "--key", s.shop.Key("sara"))
	if err != nil {
		return err
	}
	agreed, err := s.command(ctx, []byte(request), s.binary, "breakglass", "approve", "-", "--key", s.shop.Key("pete"))
	if err != nil {
		return err
	}
	if err := s.place.open(ctx, []byte(agreed)); err != nil {
		return fmt.Errorf("opening the door: %w", err)
	}
	rehearsal := edit
	rehearsal.DryRun = true
	if err := s.await(ctx, "the door to open", func() (bool, error) {
		got, err := s.place.write(ctx, rehearsal)
		return got.allowed, err
	}); err != nil {
		return err
	}
	if err := s.play(ctx, step{title: "sara asked, pete agreed: she edits", lane: "break-glass", made: s.writes(edit)}); err != nil {
		return err
	}
	return s.place.review(ctx)
}
