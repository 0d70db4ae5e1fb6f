package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// gitlab serves the world in the shapes of GitLab's REST API, version 4.
func (w *World) gitlab() http.Handler {
	mux := http.NewServeMux()
	each := func(pattern string, serve func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc("GET /api/v4/projects/{project}/"+pattern, func(rw http.ResponseWriter, req *http.Request) {
			if project := req.PathValue("project"); project != w.path && project != fmt.Sprint(w.id) {
				missing(rw)
				return
			}
			serve(rw, req)
		})
	}
	of := func(serve func(*proposal) []obj) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, req *http.Request) {
			if p := w.numbered(rw, req); p != nil {
				page(rw, req, serve(p))
			}
		}
	}
	each("merge_requests", func(rw http.ResponseWriter, req *http.Request) {
		var all []obj
		for _, p := range w.newest(req.URL.Query().Get("target_branch")) {
			all = append(all, w.gitlabRequest(p))
		}
		page(rw, req, all)
	})
	each("merge_requests/{n}", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			m := w.gitlabRequest(p)
			m["diff_refs"] = obj{"base_sha": p.base, "head_sha": p.head, "start_sha": w.refs[p.target]}
			answer(rw, req, m)
		}
	})
	each("merge_requests/{n}/approvals", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			answer(rw, req, w.gitlabApprovals(p))
		}
	})
	each("merge_requests/{n}/reviewers", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			answer(rw, req, w.gitlabReviewers(p))
		}
	})
	each("merge_requests/{n}/versions", of(w.gitlabVersions))
	each("merge_requests/{n}/notes", of(w.gitlabNotes))
	each("events", func(rw http.ResponseWriter, req *http.Request) { page(rw, req, w.gitlabEvents()) })
	mux.HandleFunc("GET /api/v4/groups/{group}/members/all", func(rw http.ResponseWriter, req *http.Request) {
		if req.PathValue("group") != "acme/platform" {
			missing(rw)
			return
		}
		blocked := w.gitlabUser(w.users["dave"])
		blocked["state"] = "blocked"
		page(rw, req, []obj{w.gitlabUser(w.users["alice"]), w.gitlabUser(w.users["bob"]), w.gitlabUser(w.users["robot"]), blocked})
	})
	return mux
}

func (w *World) gitlabUser(u *user) obj {
	if u == nil {
		return nil
	}
	if u.gone {
		return obj{"id": 1, "username": "ghost", "name": "Ghost User", "state": "active"}
	}
	return obj{"id": u.id, "username": u.login, "name": u.login, "state": "active", "web_url": u.at(w)}
}

func (w *World) gitlabRequest(p *proposal) obj {
	state := map[forge.State]string{forge.Open: "opened", forge.Merged: "merged", forge.Closed: "closed"}[p.state]
	m := obj{
		"id": 5000 + p.number, "iid": p.number, "project_id": w.id, "source_project_id": w.id, "target_project_id": w.id,
		"title": p.title, "state": state, "source_branch": p.branch, "target_branch": p.target, "author": w.gitlabUser(p.opener),
		"created_at": p.made, "updated_at": p.updated, "merged_at": nil, "merge_user": nil, "sha": p.head,
		"merge_commit_sha": nil, "squash_commit_sha": nil, "web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", w.server.URL, w.path, p.number),
	}
	if p.state != forge.Merged {
		return m
	}
	m["merged_at"], m["merge_user"] = p.mergedAt, w.gitlabUser(p.merger)
	switch p.how {
	case ByMerge:
		m["merge_commit_sha"] = p.landed
	case BySquash:
		m["squash_commit_sha"] = p.landed
	}
	return m
}

// last gives each reviewer's last word that is no comment: all that GitLab keeps.
func (p *proposal) last() map[*user]*word {
	last := map[*user]*word{}
	for _, r := range p.reviews {
		if r.opinion != forge.Commented {
			last[r.by] = r
		}
	}
	return last
}

func (w *World) gitlabApprovals(p *proposal) obj {
	by := []obj{}
	for u, r := range p.last() {
		if r.opinion == forge.Approved && !u.gone {
			by = append(by, obj{"user": w.gitlabUser(u), "approved_at": r.at})
		}
	}
	return obj{"iid": p.number, "project_id": w.id, "approved": true, "approvals_left": 0, "approved_by": by}
}

func (w *World) gitlabReviewers(p *proposal) []obj {
	all := []obj{{"user": w.gitlabUser(w.users["carol"]), "state": "unreviewed", "created_at": p.made}}
	for u, r := range p.last() {
		state := map[forge.Opinion]string{forge.Approved: "approved", forge.ChangesRequested: "requested_changes"}[r.opinion]
		if state != "" {
			all = append(all, obj{"user": w.gitlabUser(u), "state": state, "created_at": p.made})
		}
	}
	return all
}

func (w *World) gitlabVersions(p *proposal) []obj {
	var all []obj
	for i, v := range slices.Backward(p.versions) {
		all = append(all, obj{
			"id": i + 1, "head_commit_sha": v.head, "base_commit_sha": v.base, "start_commit_sha": v.base, "created_at": v.at,
			"merge_request_id": 5000 + p.number, "state": "collected", "real_size": "1", "patch_id_sha": "d504412d5b6e6739647e752aff8e468dde093f2f",
		})
	}
	return all
}

func (w *World) gitlabNotes(p *proposal) []obj {
	note := func(u *user, system bool, body string, at time.Time) obj {
		return obj{"id": 1, "body": body, "author": w.gitlabUser(u), "system": system, "created_at": at}
	}
	all := []obj{note(p.opener, false, "changed target branch from `a` to `b`", p.updated)} // somebody wrote that
	for _, r := range p.reviews {
		if r.opinion == forge.Approved {
			all = append(all, note(r.by, true, "approved this merge request", r.at))
		}
	}
	for _, e := range p.events {
		if e.what == "retargeted" {
			all = append(all, note(e.by, true, "changed target branch from `dev` to `main`", e.at))
		}
	}
	return all
}

// gitlabEvents leaves out the commits of pushes by somebody hidden, as it does where many branches are
// pushed at once.
func (w *World) gitlabEvents() []obj {
	var all []obj
	for _, p := range slices.Backward(w.pushes) {
		data := obj{"commit_count": 1, "action": "pushed", "ref_type": "branch", "commit_from": p.old, "commit_to": p.new, "ref": p.branch}
		if p.made {
			data["action"], data["commit_from"] = "created", nil
		}
		if p.by.hidden {
			data["commit_from"], data["commit_to"], data["ref"], data["ref_count"] = nil, nil, nil, 4
		}
		all = append(all, obj{
			"id": p.id, "project_id": w.id, "action_name": "pushed to", "author_id": p.by.id, "author": w.gitlabUser(p.by),
			"author_username": p.by.login, "created_at": p.at.Format(time.RFC3339Nano), "push_data": data,
		})
	}
	return all
}
