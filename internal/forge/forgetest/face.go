package forgetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// obj is a JSON object as it is written down here.
type obj = map[string]any

// perPage is how few things a page holds, whatever is asked for, so that adapters must go on reading.
const perPage = 2

// page answers with one page of a listing, in the way of the forge: a Link header with page numbers.
func page(rw http.ResponseWriter, req *http.Request, all []obj) {
	at, _ := strconv.Atoi(req.URL.Query().Get("page"))
	at = max(at, 1)
	from, to := min((at-1)*perPage, len(all)), min(at*perPage, len(all))
	if to < len(all) {
		next := *req.URL
		q := next.Query()
		q.Set("page", strconv.Itoa(at+1))
		next.RawQuery = q.Encode()
		rw.Header().Set("Link", fmt.Sprintf(`<http://%s%s>; rel="next"`, req.Host, next.String()))
		rw.Header().Set("X-Next-Page", strconv.Itoa(at+1))
	}
	answer(rw, req, all[from:to])
}

// answer writes a value, or says that it is what it was.
func answer(rw http.ResponseWriter, req *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if list, is := v.([]obj); is && len(list) == 0 {
		body = []byte("[]")
	}
	if !strings.HasPrefix(req.URL.Path, "/api/v1/") { // Gitea has no ETags
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		rw.Header().Set("ETag", tag)
		if req.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = rw.Write(body)
}

func missing(rw http.ResponseWriter) {
	http.Error(rw, `{"message":"Not Found"}`, http.StatusNotFound)
}

// numbered finds the change that a request is about, or answers that there is none.
func (w *World) numbered(rw http.ResponseWriter, req *http.Request) *proposal {
	n, err := strconv.ParseInt(req.PathValue("n"), 10, 64)
	if err != nil || n < 1 || n > int64(len(w.changes)) {
		missing(rw)
		return nil
	}
	return w.changes[n-1]
}

// newest are the changes, the one touched last first.
func (w *World) newest(target string) []*proposal {
	var all []*proposal
	for _, p := range w.changes {
		if target == "" || p.target == target {
			all = append(all, p)
		}
	}
	for i := range all {
		for j := i; j > 0 && all[j].updated.After(all[j-1].updated); j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}
