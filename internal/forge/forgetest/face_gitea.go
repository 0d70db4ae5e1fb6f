package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// gitea serves the world in the shapes of Gitea's API, version 1.
func (w *World) gitea() http.Handler {
	mux := http.NewServeMux()
	each := func(pattern string, serve func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc("GET /api/v1/repos/{owner}/{name}/"+pattern, func(rw http.ResponseWriter, req *http.Request) {
			switch path := req.PathValue("owner") + "/" + req.PathValue("name"); path {
			case w.path:
				serve(rw, req)
			case w.former:
				to := "/api/v1/repos/" + w.path + strings.TrimPrefix(req.URL.Path, "/api/v1/repos/"+path)
				http.Redirect(rw, req, to+"?"+req.URL.RawQuery, http.StatusTemporaryRedirect) //nolint:gosec // to a path of this server
			default:
				missing(rw)
			}
		})
	}
	each("pulls", func(rw http.ResponseWriter, req *http.Request) {
		var all []obj
		for _, p := range w.newest("") {
			all = append(all, w.giteaPull(p))
		}
		page(rw, req, all)
	})
	each("pulls/{n}", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			pull := w.giteaPull(p) // it says where the branch is now, whatever was merged
			if head, ok := pull["head"].(obj); ok {
				head["sha"] = w.refs[p.branch]
			}
			answer(rw, req, pull)
		}
	})
	each("git/refs/pull/{n}/head", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			answer(rw, req, []obj{{"ref": fmt.Sprintf("refs/pull/%d/head", p.number), "object": obj{"type": "commit", "sha": p.head}}})
		}
	})
	each("pulls/{n}/reviews", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			page(rw, req, w.giteaReviews(p))
		}
	})
	each("issues/{n}/timeline", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			all := []obj{{"id": 1, "type": "comment", "user": w.giteaUser(p.opener), "body": "change_target_branch", "created_at": p.updated}}
			for _, e := range p.events {
				if e.what == "retargeted" {
					all = append(all, obj{"id": 2, "type": "change_target_branch", "user": w.giteaUser(e.by), "created_at": e.at, "old_ref": "dev", "new_ref": "main"})
				}
			}
			page(rw, req, all)
		}
	})
	each("activities/feeds", func(rw http.ResponseWriter, req *http.Request) { page(rw, req, w.giteaFeed()) })
	mux.HandleFunc("GET /api/v1/orgs/acme/teams", func(rw http.ResponseWriter, req *http.Request) {
		page(rw, req, []obj{{"id": 1, "name": "Owners"}, {"id": 2, "name": "other"}, {"id": 3, "name": "platform"}})
	})
	mux.HandleFunc("GET /api/v1/teams/3/members", func(rw http.ResponseWriter, req *http.Request) {
		page(rw, req, []obj{w.giteaUser(w.users["alice"]), w.giteaUser(w.users["bob"]), w.giteaUser(w.users["robot"])})
	})
	return mux
}

func (w *World) giteaUser(u *user) obj {
	switch {
	case u == nil:
		return nil
	case u.gone:
		return obj{"id": -1, "login": "Ghost", "username": "Ghost"}
	}
	return obj{"id": u.id, "login": u.login, "username": u.login, "full_name": "", "active": false, "html_url": u.at(w)}
}

func (w *World) giteaPull(p *proposal) obj {
	repo := obj{"id": w.id, "full_name": w.path, "name": "shop"}
	pull := obj{
		"id": 300 + p.number, "number": p.number, "title": p.title, "user": w.giteaUser(p.opener), "state": "closed", "merged": p.state == forge.Merged,
		"html_url": fmt.Sprintf("%s/%s/pulls/%d", w.server.URL, w.path, p.number), "created_at": p.made, "updated_at": p.updated,
		"merged_at": nil, "merge_commit_sha": nil, "merged_by": nil, "merge_base": p.base,
		"base": obj{"label": p.target, "ref": p.target, "sha": w.refs[p.target], "repo_id": w.id, "repo": repo},
		"head": obj{"label": p.branch, "ref": p.branch, "sha": p.head, "repo_id": w.id, "repo": repo},
	}
	switch p.state {
	case forge.Open:
		pull["state"] = "open"
	case forge.Merged:
		pull["merged_at"], pull["merge_commit_sha"], pull["merged_by"] = p.mergedAt, p.landed, w.giteaUser(p.merger)
	}
	return pull
}

// giteaReviews says of every review that it is official and not stale, since neither may matter.
func (w *World) giteaReviews(p *proposal) []obj {
	all := []obj{{"id": 9000, "user": w.giteaUser(w.users["carol"]), "state": "REQUEST_REVIEW", "commit_id": "", "submitted_at": p.made}}
	for i, r := range p.reviews {
		state := map[forge.Opinion]string{
			forge.Approved: "APPROVED", forge.ChangesRequested: "REQUEST_CHANGES", forge.Commented: "COMMENT", forge.Dismissed: "APPROVED",
		}[r.opinion]
		later := slices.ContainsFunc(p.reviews[i+1:], func(l *word) bool { return l.by == r.by && l.opinion != forge.Commented })
		all = append(all, obj{
			"id": p.number*100 + r.id, "user": w.giteaUser(r.by), "team": nil, "state": state, "body": "", "commit_id": r.commit,
			"stale": false, "official": true, "dismissed": r.opinion == forge.Dismissed || later && r.opinion != forge.Commented,
			"submitted_at": r.at, "updated_at": r.at, "html_url": fmt.Sprintf("%s/%s/pulls/%d#issuecomment-%d", w.server.URL, w.path, p.number, r.id),
		})
	}
	return all
}

// giteaFeed leaves out what people did who are hidden. It is written by a queue, and so says a later time
// than that of the push.
func (w *World) giteaFeed() []obj {
	var all []obj
	for _, p := range slices.Backward(w.pushes) {
		if p.by.hidden {
			continue
		}
		old := p.old
		if p.made {
			old = w.refs["main"]
		}
		content, err := json.Marshal(obj{
			"Commits": []obj{{"Sha1": p.new}}, "HeadCommit": obj{"Sha1": p.new}, "Len": 1, "CompareURL": w.path + "/compare/" + old + "..." + p.new,
		})
		if err != nil {
			panic(err)
		}
		event := obj{
			"id": 2 * p.id, "op_type": "commit_repo", "act_user_id": p.by.id, "act_user": w.giteaUser(p.by), "repo_id": w.id,
			"ref_name": "refs/heads/" + p.branch, "content": string(content), "created": p.at.Add(90 * time.Second),
		}
		all = append(all, event)
		if p.made {
			all = append(all, obj{
				"id": 2*p.id - 1, "op_type": "commit_repo", "act_user_id": p.by.id, "act_user": w.giteaUser(p.by), "repo_id": w.id,
				"ref_name": "refs/heads/" + p.branch, "content": "", "created": p.at,
			})
		}
	}
	return all
}
