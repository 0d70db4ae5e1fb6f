package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
)

// Act implements forgetest.Stage.
func (s *Stage) Act(t *testing.T, a forgetest.Act) {
	t.Helper()
	switch a.Do {
	case forgetest.Push, forgetest.Amend, forgetest.Rebase, forgetest.Back, forgetest.Direct, forgetest.Rewind, forgetest.MergeAll:
		s.work(t, a)
	case forgetest.Open:
		s.open(t, a)
	case forgetest.Review:
		s.review(t, a)
	case forgetest.Dismiss:
		s.dismiss(t, a)
	case forgetest.Merge:
		s.merge(t, a)
	case forgetest.Retarget:
		s.Server.Must(t, Admin, http.MethodPatch, s.change(s.numbers[a.Branch]), map[string]any{"base": a.Target})
		s.awaitChange(t, s.numbers[a.Branch], "aims elsewhere", func(p pull) bool { return p.Base.Ref == a.Target })
	case forgetest.Close:
		s.Server.Must(t, a.By, http.MethodPatch, s.change(s.numbers[a.Branch]), map[string]any{"state": "closed"})
	case forgetest.Gone, forgetest.Rename, forgetest.Hide:
		s.account(t, a)
	case forgetest.Move:
		s.Server.Must(t, Admin, http.MethodPatch, "/repos/"+s.Path, map[string]any{"name": "renamed-" + fmt.Sprint(s.id)})
	default:
		t.Fatalf("no such act on a real forge: %q", a.Do)
	}
}

// work is what is done in a working copy and pushed.
func (s *Stage) work(t *testing.T, a forgetest.Act) {
	t.Helper()
	main, mine := s.heads["main"], s.heads[a.Branch]
	start := func(rev string) { s.git(t, a.By, s.Clone, "checkout", "-q", "--detach", rev) }
	force := a.Do == forgetest.Amend || a.Do == forgetest.Rebase || a.Do == forgetest.Back || a.Do == forgetest.Rewind
	branch := a.Branch
	s.git(t, a.By, s.Clone, "-c", s.sshAs("alice"), "fetch", "-q", "origin")
	switch a.Do {
	case forgetest.Push:
		switch {
		case len(mine) > 0:
			start(mine[len(mine)-1])
		case a.From != "":
			start("origin/" + a.From)
		default:
			start("origin/main")
		}
	case forgetest.Amend:
		start(s.git(t, a.By, s.Clone, "merge-base", "origin/main", "origin/"+a.Branch))
	case forgetest.Rebase:
		start("origin/" + a.Branch)
		s.git(t, a.By, s.Clone, "rebase", "-q", "origin/main")
	case forgetest.Back:
		start(mine[a.Nth-1])
	case forgetest.Direct, forgetest.MergeAll:
		branch = "main"
		start("origin/main")
	case forgetest.Rewind:
		branch = "main"
		start(main[len(main)-1] + "^")
		s.rewritten = append(s.rewritten, time.Now())
	}
	for _, b := range a.Branches {
		s.git(t, a.By, s.Clone, "merge", "-q", "--no-ff", "-m", "merge "+b, "origin/"+b)
	}
	if len(a.Files) > 0 {
		s.write(t, a.Files)
		s.commit(t, a)
	}
	s.push(t, a.By, branch, force)
	if a.Do == forgetest.Rewind {
		s.rewritten = append(s.rewritten, time.Now())
	}
	for _, b := range a.Branches {
		s.awaitChange(t, s.numbers[b], "is merged", func(p pull) bool { return p.Merged })
	}
}

func (s *Stage) open(t *testing.T, a forgetest.Act) {
	t.Helper()
	target := a.Target
	if target == "" {
		target = "main"
	}
	var made struct{ Number int64 }
	send := map[string]any{"head": a.Branch, "base": target, "title": "change " + a.Branch}
	if err := s.Server.Call(t.Context(), a.By, http.MethodPost, "/repos/"+s.Path+"/pulls", send, &made); err != nil {
		t.Fatal(err)
	}
	s.numbers[a.Branch] = made.Number
}

func (s *Stage) review(t *testing.T, a forgetest.Act) {
	t.Helper()
	event := map[forge.Opinion]string{forge.Approved: "APPROVED", forge.ChangesRequested: "REQUEST_CHANGES", forge.Commented: "COMMENT"}[a.Opinion]
	send := map[string]any{"event": event, "body": "said in a test"}
	if a.Nth > 0 {
		send["commit_id"] = s.heads[a.Branch][a.Nth-1]
	}
	err := s.Server.Call(t.Context(), a.By, http.MethodPost, s.change(s.numbers[a.Branch])+"/reviews", send, nil)
	var refused *StatusError
	if err != nil && (!a.MayRefuse || !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity) {
		t.Fatal(err)
	}
}

func (s *Stage) dismiss(t *testing.T, a forgetest.Act) {
	t.Helper()
	var reviews []struct {
		ID    int64
		State string
		User  struct{ Login string }
	}
	at := s.change(s.numbers[a.Branch]) + "/reviews"
	if err := s.Server.Call(t.Context(), Admin, http.MethodGet, at, nil, &reviews); err != nil {
		t.Fatal(err)
	}
	for _, r := range reviews {
		if r.User.Login == a.Whom && r.State == "APPROVED" {
			s.Server.Must(t, Admin, http.MethodPost, fmt.Sprintf("%s/%d/dismissals", at, r.ID), map[string]any{"message": "not so"})
		}
	}
}

// merge merges through the API. Gitea looks at a change in the background first, and asks to come again.
func (s *Stage) merge(t *testing.T, a forgetest.Act) {
	t.Helper()
	style := map[string]string{forgetest.ByMerge: "merge", forgetest.BySquash: "squash", forgetest.ByRebase: "rebase", forgetest.ByFF: "fast-forward-only"}[a.How]
	number := s.numbers[a.Branch]
	s.Server.Await(t, "the change can be merged", func() (bool, error) {
		err := s.Server.Call(t.Context(), a.By, http.MethodPost, s.change(number)+"/merge", map[string]any{"Do": style}, nil)
		return err == nil, err
	})
	s.awaitChange(t, number, "is merged", func(p pull) bool { return p.Merged })
}

// account changes an account, and changes it back when the story has ended.
func (s *Stage) account(t *testing.T, a forgetest.Act) {
	t.Helper()
	srv := s.Server
	switch a.Do {
	case forgetest.Gone:
		srv.Must(t, Admin, http.MethodDelete, "/admin/users/"+a.Whom, nil)
		t.Cleanup(func() {
			srv.mu.Lock()
			delete(srv.ids, a.Whom) // made anew by the next stage
			srv.mu.Unlock()
		})
	case forgetest.Rename:
		srv.Must(t, Admin, http.MethodPost, "/admin/users/"+a.Whom+"/rename", map[string]any{"new_username": a.Whom + "-renamed"})
		s.undo(t, "/admin/users/"+a.Whom+"-renamed/rename", http.MethodPost, Admin, map[string]any{"new_username": a.Whom})
	case forgetest.Hide:
		srv.Must(t, a.Whom, http.MethodPatch, "/user/settings", map[string]any{"hide_activity": true})
		s.undo(t, "/user/settings", http.MethodPatch, a.Whom, map[string]any{"hide_activity": false})
	}
}

// undo calls the API when the story has ended.
func (s *Stage) undo(t *testing.T, path, method, as string, send any) {
	t.Cleanup(func() {
		if err := s.Server.Call(context.WithoutCancel(t.Context()), as, method, path, send, nil); err != nil {
			t.Error(err)
		}
	})
}
