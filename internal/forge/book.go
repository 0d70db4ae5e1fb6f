package forge

import (
	"bytes"
	"container/list"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// The most that is kept of answers to compare by their ETag.
const (
	mostPages     = 2000
	mostPageBytes = 32 << 20
)

// page is one answer.
type page struct {
	tag    string
	status int
	header http.Header
	body   []byte
}

func (p page) response(req *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(p.status) + " " + http.StatusText(p.status), StatusCode: p.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: p.header.Clone(), Request: req,
		Body: io.NopCloser(bytes.NewReader(p.body)), ContentLength: int64(len(p.body)),
	}
}

// book keeps the answers that were asked for last, so that one that did not change is not sent again.
type book struct {
	mu    sync.Mutex
	byURL map[string]*list.Element
	order *list.List // of entry, newest first
	bytes int
}

type entry struct {
	url string
	page
}

func newBook() *book { return &book{byURL: map[string]*list.Element{}, order: list.New()} }

func (b *book) get(req *http.Request) (page, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.byURL[req.URL.String()]
	if !ok || req.Method != http.MethodGet {
		return page{}, false
	}
	b.order.MoveToFront(e)
	return e.Value.(entry).page, true //nolint:errcheck // nothing else is ever put in
}

func (b *book) put(req *http.Request, p page) {
	if req.Method != http.MethodGet {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	url := req.URL.String()
	if e, ok := b.byURL[url]; ok {
		b.drop(e)
	}
	b.byURL[url] = b.order.PushFront(entry{url, p})
	for b.bytes += len(p.body); b.bytes > mostPageBytes || b.order.Len() > mostPages; {
		b.drop(b.order.Back())
	}
}

func (b *book) drop(e *list.Element) {
	gone := b.order.Remove(e).(entry) //nolint:errcheck // nothing else is ever put in
	delete(b.byURL, gone.url)
	b.bytes -= len(gone.body)
}
