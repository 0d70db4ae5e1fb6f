package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// github serves the world in the shapes of GitHub's REST API, version 2022-11-28.
func (w *World) github() http.Handler {
	mux := http.NewServeMux()
	each := func(pattern string, serve func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc("GET /api/v3/repos/{owner}/{name}/"+pattern, func(rw http.ResponseWriter, req *http.Request) {
			switch path := req.PathValue("owner") + "/" + req.PathValue("name"); path {
			case w.path:
				serve(rw, req)
			case w.former: // GitHub leads on to the repository by its id
				to := fmt.Sprintf("/api/v3/repos/%s%s", w.path, strings.TrimPrefix(req.URL.Path, "/api/v3/repos/"+path))
				http.Redirect(rw, req, to+"?"+req.URL.RawQuery, http.StatusMovedPermanently) //nolint:gosec // to a path of this server
			default:
				missing(rw)
			}
		})
	}
	each("pulls", func(rw http.ResponseWriter, req *http.Request) {
		var all []obj
		for _, p := range w.newest(req.URL.Query().Get("base")) {
			all = append(all, w.githubPull(p, false))
		}
		page(rw, req, all)
	})
	each("pulls/{n}", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			answer(rw, req, w.githubPull(p, true))
		}
	})
	each("pulls/{n}/reviews", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			page(rw, req, w.githubReviews(p))
		}
	})
	each("pulls/{n}/commits", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			var all []obj
			for _, id := range w.between(p.base, p.head) {
				n := w.nodes[id]
				all = append(all, obj{"sha": id, "author": w.githubUser(w.users[n.author]), "committer": w.githubUser(w.users[n.committer])})
			}
			page(rw, req, all)
		}
	})
	each("issues/{n}/timeline", func(rw http.ResponseWriter, req *http.Request) {
		if p := w.numbered(rw, req); p != nil {
			page(rw, req, w.githubTimeline(p))
		}
	})
	each("activity", w.githubActivity)
	mux.HandleFunc("GET /api/v3/orgs/acme/teams/platform/members", func(rw http.ResponseWriter, req *http.Request) {
		page(rw, req, []obj{w.githubUser(w.users["alice"]), w.githubUser(w.users["bob"]), w.githubUser(w.users["robot"])})
	})
	return mux
}

func (w *World) githubUser(u *user) obj {
	if u == nil {
		return nil
	}
	if u.gone {
		return obj{"login": "ghost", "id": 10137, "type": "User", "html_url": "https://github.com/ghost"}
	}
	kind := "User"
	if u.robot {
		kind = "Bot"
	}
	return obj{"login": u.login, "id": u.id, "node_id": "U_" + u.login, "type": kind, "site_admin": false, "html_url": u.at(w)}
}

func (w *World) githubPull(p *proposal, whole bool) obj {
	repo := obj{"id": w.id, "full_name": w.path, "name": "shop", "private": true}
	state := map[forge.State]string{forge.Open: "open"}[p.state]
	if state == "" {
		state = "closed"
	}
	pull := obj{
		"id": 1000 + p.number, "number": p.number, "state": state, "title": p.title, "draft": false,
		"html_url": fmt.Sprintf("%s/%s/pull/%d", w.server.URL, w.path, p.number), "user": w.githubUser(p.opener),
		"created_at": p.made, "updated_at": p.updated, "merged_at": nil, "merge_commit_sha": w.base,
		"head": obj{"ref": p.branch, "sha": p.head, "label": "acme:" + p.branch, "repo": repo, "user": w.githubUser(p.opener)},
		"base": obj{"ref": p.target, "sha": w.refs[p.target], "label": "acme:" + p.target, "repo": repo},
	}
	if p.state == forge.Merged {
		pull["merged_at"], pull["merge_commit_sha"] = p.mergedAt, p.landed
	}
	if whole {
		pull["commits"], pull["merged"] = len(w.between(p.base, p.head)), p.state == forge.Merged
		if p.state == forge.Merged {
			pull["merged_by"] = w.githubUser(p.merger)
		}
	}
	return pull
}

func (w *World) githubReviews(p *proposal) []obj {
	states := map[forge.Opinion]string{
		forge.Approved: "APPROVED", forge.ChangesRequested: "CHANGES_REQUESTED", forge.Commented: "COMMENTED", forge.Dismissed: "DISMISSED",
	}
	all := []obj{{"id": 9000 + p.number, "user": w.githubUser(w.users["carol"]), "state": "PENDING", "body": "not sent yet"}}
	for _, r := range p.reviews {
		all = append(all, obj{
			"id": p.number*100 + r.id, "user": w.githubUser(r.by), "state": states[r.opinion], "body": "", "commit_id": r.commit, "submitted_at": r.at,
			"author_association": "MEMBER", "html_url": fmt.Sprintf("%s/%s/pull/%d#pullrequestreview-%d", w.server.URL, w.path, p.number, r.id),
		})
	}
	return all
}

func (w *World) githubTimeline(p *proposal) []obj {
	all := []obj{{"event": "committed", "sha": p.head}}
	for _, e := range p.events {
		name := map[string]string{"retargeted": "base_ref_changed", "target rewritten": "base_ref_force_pushed"}[e.what]
		all = append(all, obj{"event": name, "actor": w.githubUser(e.by), "created_at": e.at, "commit_id": nil})
	}
	return append(all, obj{"event": "commented", "user": w.githubUser(p.opener), "body": "base_ref_changed", "created_at": p.made})
}

// githubActivity pages by a cursor. It hides nobody; a fork that is gone hides everything, which is
// how a story hides somebody here.
func (w *World) githubActivity(rw http.ResponseWriter, req *http.Request) {
	var all []obj
	for _, p := range slices.Backward(w.pushes) {
		if p.by.hidden {
			p.by = &user{gone: true}
		}
		if "refs/heads/"+p.branch != req.URL.Query().Get("ref") {
			continue
		}
		kind, before := "push", p.old
		switch {
		case p.made:
			kind, before = "branch_creation", strings.Repeat("0", 40)
		case p.forced:
			kind = "force_push"
		}
		var actor obj
		if !p.by.gone {
			actor = w.githubUser(p.by)
		}
		all = append(all, obj{
			"id": p.id, "node_id": "PSH_" + strconv.FormatInt(p.id, 10), "before": before, "after": p.new, "ref": "refs/heads/" + p.branch,
			"timestamp": p.at.Format(time.RFC3339), "activity_type": kind, "actor": actor,
		})
	}
	from, _ := strconv.Atoi(req.URL.Query().Get("after"))
	to := min(from+perPage, len(all))
	if to < len(all) {
		rw.Header().Set("Link", fmt.Sprintf(`<http://%s%s?ref=%s&after=%d>; rel="next"`, req.Host, req.URL.Path, req.URL.Query().Get("ref"), to))
	}
	answer(rw, req, all[min(from, len(all)):to])
}
