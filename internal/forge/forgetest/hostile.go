package forgetest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
)

// hostileToken is what a hostile forge was asked with.
const hostileToken = "canary-0123456789abcdef"

// Hostile plays forges that were asked with a token and give it back, in every place that an answer
// has, plain or so that nobody recognises it. Neither an error nor anything that is shown of a change
// may hold it (T-38).
func Hostile(t *testing.T, make func(forge.Access) (forge.Reader, error)) {
	t.Helper()
	plain, coded := hostileToken, base64.StdEncoding.EncodeToString([]byte(hostileToken))
	for name, serve := range hostileAnswers() {
		for _, said := range []string{plain, coded, url.QueryEscape("=" + plain), hex.EncodeToString([]byte(plain)), reversed(plain)} {
			t.Run(name, func(t *testing.T) {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { serve(w, req, said) }))
				defer s.Close()
				shown := strings.Join(ask(t, make, s.URL), "\n")
				if shown == "" {
					t.Fatal("nothing was shown: the answer was taken, and the row holds nothing")
				}
				for _, never := range []string{plain, said} {
					if strings.Contains(shown, never) {
						t.Errorf("%q is shown in %s", never, shown)
					}
				}
				if strings.ContainsAny(shown, "\r\x1b") || len(shown) > 4000 {
					t.Errorf("%d bytes that may write elsewhere are shown", len(shown))
				}
			})
		}
	}
}

// ask reads all there is, and gives what people would be shown: errors, and pages.
func ask(t *testing.T, make func(forge.Access) (forge.Reader, error), at string) (shown []string) {
	t.Helper()
	for i := range 3 {
		reader, err := make(forge.Access{URL: at, Token: forge.NewSecret(hostileToken), AllowLoopback: true}) // a new one: it has no pause yet
		if err != nil {
			t.Fatal(err)
		}
		r := forge.Repository{Path: "acme/apps"}
		switch i {
		case 0:
			var listed forge.Listing
			listed, err = reader.Changes(t.Context(), r, forge.Span{Branch: "main"})
			for _, c := range listed.Changes {
				shown = append(shown, c.URL)
			}
		case 1:
			var d forge.Dossier
			d, err = reader.Dossier(t.Context(), r, 7)
			shown = append(shown, d.URL)
		case 2:
			_, err = reader.Members(t.Context(), "acme/owners")
		}
		if err != nil {
			shown = append(shown, err.Error())
		}
	}
	return slices.DeleteFunc(shown, func(s string) bool { return s == "" })
}

type hostile func(w http.ResponseWriter, req *http.Request, said string)

func hostileAnswers() map[string]hostile {
	status := func(code int) hostile {
		return func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("X-Echo", said)
			w.Header().Set("Set-Cookie", "session="+said)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]any{"message": said, "error": said, "errors": []string{said}, "url": "https://x/" + said})
		}
	}
	body := func(format string) hostile {
		return func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, strings.ReplaceAll(format, "SAID", "%[1]s"), said)
		}
	}
	redirect := func(format string) hostile {
		return func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("Location", strings.ReplaceAll(format, "SAID", said))
			w.WriteHeader(http.StatusFound)
		}
	}
	raw := func(format string) hostile {
		return func(w http.ResponseWriter, _ *http.Request, said string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, strings.ReplaceAll(format, "SAID", said))
			_ = conn.Close()
		}
	}
	all := map[string]hostile{
		"text in the place of JSON":    body("SAID"),
		"a name given twice":           body(`{"SAID":1,"SAID":2}`),
		"text where a list is":         body(`"SAID"`),
		"an object with it as a name":  body(`{"SAID":{}}`),
		"text where a number is":       body(`[{"number":"SAID","iid":"SAID","id":"SAID"}]`),
		"text where a time is":         body(`[{"updated_at":"SAID","created_at":"SAID"}]`),
		"a change with it everywhere":  hostileChange,
		"redirected elsewhere":         redirect("https://SAID.example.com/SAID?token=SAID"),
		"redirected to no address":     redirect("http://%zz/SAID"),
		"redirected to another scheme": redirect("SAID://x/"),
		"no HTTP":                      raw("SAID\r\n\r\n"),
		"no status":                    raw("HTTP/1.1 SAID\r\n\r\n"),
		"no header":                    raw("HTTP/1.1 200 OK\r\nSAID\r\n\r\n"),
		"no length":                    raw("HTTP/1.1 200 OK\r\nContent-Length: SAID\r\n\r\n"),
		"no coding":                    raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: SAID\r\n\r\n"),
		"status with a text":           raw("HTTP/1.1 599 SAID\r\nContent-Length: 0\r\n\r\n"),
		"half an answer":               raw("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n[\"SAID\""),
	}
	for _, code := range []int{400, 401, 403, 404, 409, 410, 418, 422, 429, 451, 500, 501, 502, 503} {
		all[fmt.Sprintf("answer %d", code)] = status(code)
	}
	return all
}

// hostileChange is a merge request of any forge, with what was said wherever a forge puts text.
func hostileChange(w http.ResponseWriter, req *http.Request, said string) {
	user := obj{"id": 1, "login": said, "username": said, "full_name": said, "name": said, "state": "active", "html_url": said, "web_url": said}
	repo := obj{"id": 5, "name": said, "full_name": "x/" + said, "html_url": "https://x/" + said, "owner": user}
	sha := strings.Repeat("1", 40)
	end := obj{"ref": "main", "label": said, "sha": sha, "repo_id": 5, "repo": repo, "user": user}
	pull := obj{
		"id": 1, "number": 7, "iid": 7, "index": 7, "title": said, "body": said, "description": said, "state": "open",
		"html_url": "https://" + said + "/" + said, "web_url": "https://x/" + said + "?t=" + said, "url": said, "user": user, "author": user,
		"base": end, "head": end, "merge_base": sha, "target_project_id": 5, "source_project_id": 5, "target_branch": "main",
		"source_branch": said, "sha": sha, "updated_at": "2026-01-02T03:04:05Z", "created_at": "2026-01-02T03:04:05Z",
	}
	w.Header().Set("Content-Type", "application/json")
	switch p := req.URL.EscapedPath(); {
	case strings.HasSuffix(p, "/pulls"), strings.HasSuffix(p, "/merge_requests"):
		_ = json.NewEncoder(w).Encode([]obj{pull})
	case strings.HasSuffix(p, "/7"):
		_ = json.NewEncoder(w).Encode(pull)
	default:
		_ = json.NewEncoder(w).Encode([]obj{})
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
