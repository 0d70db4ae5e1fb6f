package forgetest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// Token is what a World wants to be asked with.
const Token = "token-of-the-test" //nolint:gosec // a token of nobody

// World is one repository on a forge in memory.
type World struct {
	Kind forge.Kind
	*dag
	now       time.Time
	users     map[string]*user
	path      string // owner/name now
	former    string // that it was renamed from
	id        int64
	refs      map[string]string
	pushes    []pushed // oldest first
	changes   []*proposal
	rewritten []time.Time
	base      string
	server    *httptest.Server
}

type user struct {
	id     int64
	login  string
	robot  bool
	gone   bool
	hidden bool
}

// pushed is one push to a branch.
type pushed struct {
	id       int64
	branch   string
	old, new string
	by       *user
	made     bool
	forced   bool
	at       time.Time
}

// proposal is a change as the forge keeps it.
type proposal struct {
	number         int64
	branch, target string
	opener, merger *user
	title          string
	state          forge.State
	head, base     string
	landed         string // with how it landed
	how            string
	versions       []version
	reviews        []*word
	events         []happening
	made, updated  time.Time
	mergedAt       time.Time
}

// version is a head that a change had, and the merge base at the time.
type version struct {
	head, base string
	at         time.Time
}

// word is a review as the forge keeps it.
type word struct {
	id      int64
	by      *user
	opinion forge.Opinion
	commit  string
	at      time.Time
}

// happening is what else is said below a change.
type happening struct {
	what string
	by   *user
	at   time.Time
}

// NewWorld gives an empty repository on a forge of that kind, and serves its API until the test ends.
func NewWorld(t *testing.T, kind forge.Kind) *World {
	w := &World{
		Kind: kind, dag: newDAG(), now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), users: map[string]*user{},
		path: "acme/shop", id: 7, refs: map[string]string{},
	}
	for i, name := range []string{"alice", "bob", "carol", "dave", "bob2", "robot", "stranger"} {
		w.users[name] = &user{id: int64(100 + i), login: name, robot: name == "robot"}
	}
	if kind == forge.GitLab {
		w.users["robot"].login = "project_7_bot_8d2f"
	}
	w.refs["main"] = w.commit(node{tree: files{"app.yaml": "image: shop:1\nreplicas: 3\n"}, author: "alice", committer: "alice"})
	w.base = w.refs["main"]
	faces := map[forge.Kind]http.Handler{forge.GitHub: w.github(), forge.GitLab: w.gitlab(), forge.Gitea: w.gitea()}
	w.server = httptest.NewServer(authenticated(faces[kind]))
	t.Cleanup(w.server.Close)
	return w
}

// Access is how to reach the world.
func (w *World) Access() forge.Access {
	return forge.Access{URL: w.server.URL, Token: forge.NewSecret(Token), AllowLoopback: true}
}

// Seen is the world through an adapter.
func (w *World) Seen(reader forge.Reader) Stage { return &seen{w, reader} }

type seen struct {
	*World
	reader forge.Reader
}

// View implements Stage.
func (s *seen) View(*testing.T) View {
	v := View{
		Kind: s.Kind, Reader: s.reader, Repository: forge.Repository{Path: "acme/shop", ID: "7"}, Git: s.dag,
		Tip: s.refs["main"], Base: s.base, Rewritten: s.rewritten, Accounts: map[string]forge.Account{},
	}
	if s.former != "" && s.Kind == forge.GitLab {
		v.Repository.Path = s.path // GitLab's API does not lead on from a former path
	}
	for name, u := range s.users {
		v.Accounts[name] = forge.Account{ID: forge.ID(u.id), Login: u.login}
	}
	return v
}

// Act implements Stage.
func (w *World) Act(t *testing.T, a Act) {
	t.Helper()
	w.now = w.now.Add(time.Minute)
	by := w.users[a.By]
	switch a.Do {
	case Push, Amend, Rebase, Back:
		w.push(t, a, by)
	case Open:
		w.open(a, by)
	case Review:
		w.review(t, a, by)
	case Dismiss:
		w.dismiss(a)
	case Merge:
		w.merge(t, w.change(a.Branch), a.How, by)
	case MergeAll:
		for _, branch := range a.Branches {
			w.merge(t, w.change(branch), ByMerge, by)
		}
	case Direct:
		w.move("main", w.commit(node{parents: []string{w.refs["main"]}, tree: w.nodes[w.refs["main"]].tree.with(a.Files), author: a.By, committer: a.By}), by, false)
	case Rewind:
		w.move("main", w.nodes[w.refs["main"]].parents[0], by, true)
		w.rewritten = append(w.rewritten, w.now)
	case Retarget:
		w.retarget(a, by)
	case Close:
		w.change(a.Branch).state = forge.Closed
	case Gone:
		w.users[a.Whom].gone = true
	case Rename:
		w.users[a.Whom].login = a.Whom + "-renamed"
	case Move:
		w.former, w.path = w.path, "acme/store"
	case Replace:
		w.id = 8
	case Hide:
		w.users[a.Whom].hidden = true
	default:
		t.Fatalf("no such act: %q", a.Do)
	}
}

func (w *World) change(branch string) *proposal {
	for _, p := range w.changes {
		if p.branch == branch {
			p.updated = w.now
			return p
		}
	}
	panic("no change of branch " + branch)
}

// push changes a branch as the act says.
func (w *World) push(t *testing.T, a Act, by *user) {
	old := w.refs[a.Branch]
	author := a.Author
	if author == "" {
		author = a.By
	}
	commit := func(parent string) string {
		return w.commit(node{parents: []string{parent}, tree: w.nodes[parent].tree.with(a.Files), author: author, committer: author, coauthor: a.Coauthor})
	}
	base, _ := w.MergeBase(context.Background(), w.refs["main"], old)
	switch {
	case a.Do == Amend:
		w.move(a.Branch, commit(base), by, true)
	case a.Do == Rebase:
		w.move(a.Branch, w.replay(w.between(base, old), w.refs["main"], a.By), by, true)
	case a.Do == Back:
		w.move(a.Branch, w.change(a.Branch).versions[a.Nth-1].head, by, true)
	case old == "":
		from := w.refs["main"]
		if a.From != "" {
			from = w.refs[a.From]
		}
		w.move(a.Branch, commit(from), by, false)
	default:
		w.move(a.Branch, commit(old), by, false)
	}
	if w.refs[a.Branch] == old {
		t.Fatalf("%+v changed nothing", a)
	}
}

// move points a branch at a commit, and lets the changes of it know.
func (w *World) move(branch, to string, by *user, forced bool) {
	old := w.refs[branch]
	w.refs[branch] = to
	w.pushes = append(w.pushes, pushed{int64(len(w.pushes) + 1), branch, old, to, by, old == "", forced, w.now})
	for _, p := range w.changes {
		if p.state != forge.Open {
			continue
		}
		if p.target == branch && forced {
			p.events = append(p.events, happening{"target rewritten", by, w.now})
		}
		if p.branch == branch {
			w.advance(p, to)
		}
	}
}

// advance gives a change a new head. GitHub re-points reviews of a head that looks equal.
func (w *World) advance(p *proposal, head string) {
	was, base := p.head, p.base
	p.head, p.updated = head, w.now
	p.base, _ = w.MergeBase(context.Background(), w.refs[p.target], head)
	p.versions = append(p.versions, version{head, p.base, w.now})
	for _, r := range p.reviews {
		if w.Kind == forge.GitHub && r.commit == was && w.looksEqual(base, was, p.base, head) {
			r.commit = head
		}
	}
}

func (w *World) open(a Act, by *user) {
	target := a.Target
	if target == "" {
		target = "main"
	}
	p := &proposal{
		number: int64(len(w.changes) + 1), branch: a.Branch, target: target, opener: by, title: "change " + a.Branch,
		state: forge.Open, made: w.now, updated: w.now,
	}
	w.changes = append(w.changes, p)
	w.advance(p, w.refs[a.Branch])
}

func (w *World) review(t *testing.T, a Act, by *user) {
	p := w.change(a.Branch)
	if by == p.opener && w.Kind != forge.GitLab {
		if !a.MayRefuse {
			t.Fatalf("%s cannot review a change of their own", a.By)
		}
		return
	}
	r := &word{id: int64(len(p.reviews) + 1), by: by, opinion: a.Opinion, commit: p.head, at: w.now}
	if a.Nth > 0 {
		r.commit = p.versions[a.Nth-1].head
	}
	p.reviews = append(p.reviews, r)
}

func (w *World) dismiss(a Act) {
	for _, r := range w.change(a.Branch).reviews {
		if r.by == w.users[a.Whom] && r.opinion != forge.Commented {
			r.opinion = forge.Dismissed
		}
	}
}

func (w *World) retarget(a Act, by *user) {
	p := w.change(a.Branch)
	p.events = append(p.events, happening{"retargeted", by, w.now})
	p.target = a.Target
	p.base, _ = w.MergeBase(context.Background(), w.refs[p.target], p.head)
	p.versions = append(p.versions, version{p.head, p.base, w.now})
}

// merge lands a change.
func (w *World) merge(t *testing.T, p *proposal, how string, by *user) {
	tip := w.refs[p.target]
	name := strings.TrimSuffix(by.login, "-renamed")
	tree := w.merged(tip, p.head)
	commits := w.between(tip, p.head)
	switch how {
	case ByMerge:
		p.landed = w.commit(node{parents: []string{tip, p.head}, tree: tree, author: name, committer: name})
	case BySquash:
		p.landed = w.commit(node{parents: []string{tip}, tree: tree, author: w.nodes[p.head].author, committer: name})
	case ByRebase:
		p.landed = w.replay(commits, tip, name)
		if w.Kind == forge.GitLab { // the branch itself is rebased, and the target moved forward to it
			w.move(p.branch, p.landed, by, true)
		}
	case ByFF:
		p.landed = p.head
	default:
		t.Fatalf("no such way to merge: %q", how)
	}
	p.state, p.how, p.merger, p.mergedAt = forge.Merged, how, by, w.now
	w.move(p.target, p.landed, by, false)
}

// authenticated lets nobody in without the token.
func authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+Token {
			http.Error(rw, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(rw, req)
	})
}

func (u *user) at(w *World) string { return fmt.Sprintf("%s/%s", w.server.URL, u.login) }
