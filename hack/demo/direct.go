package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairway-dev/fairway/e2e/story"
)

// direct asks fairway itself, over HTTPS, what an API server would ask. It needs no cluster.
type direct struct {
	stage  *stage
	server *story.Server
}

func (d *direct) start(ctx context.Context, s *stage) error {
	d.stage, d.server = s, story.NewServer()
	tls := filepath.Join(s.dir, "tls")
	if err := os.Mkdir(tls, 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	return s.serve(ctx, filepath.Join(tls, "ca.crt"), "--dir", s.shop.World(""), "--listen", "127.0.0.1:0", "--tls-dir", tls, "--self-signed")
}

func (d *direct) review(context.Context) error { return nil }

func (d *direct) stop() error { return nil }

func (d *direct) uid(context.Context) (string, error) { return story.ShopUID, nil }

func (d *direct) open(_ context.Context, object []byte) error {
	return os.WriteFile(d.stage.shop.World("breakglass.yaml"), object, 0o600)
}

func (d *direct) write(ctx context.Context, w story.Write) (answer, error) {
	review, keep, err := d.server.Try(w)
	if err != nil {
		return answer{}, err
	}
	if w.DryRun {
		keep = func() {}
	}
	return d.ask(ctx, review, keep)
}

func (d *direct) remove(ctx context.Context, configMap, user string) (answer, error) {
	review, keep, err := d.server.Delete(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "shop", configMap, user)
	if err != nil {
		return answer{}, err
	}
	return d.ask(ctx, review, keep)
}

// ask sends a review; the object is kept where the answer is yes, as an API server does.
func (d *direct) ask(ctx context.Context, review *admissionv1.AdmissionReview, keep func()) (answer, error) {
	said, err := d.post(ctx, review)
	if err != nil {
		return answer{}, err
	}
	out := answer{allowed: said.Allowed, lane: said.AuditAnnotations["lane"]}
	if said.Result != nil {
		out.message = said.Result.Message
	}
	if said.Allowed {
		keep()
	}
	return out, nil
}

// post sends a review as an API server does. While a proof is being made the answer is 429, and the
// client asks again after the time that the answer names.
func (d *direct) post(ctx context.Context, review *admissionv1.AdmissionReview) (*admissionv1.AdmissionResponse, error) {
	body, err := json.Marshal(review)
	if err != nil {
		return nil, fmt.Errorf("encoding the review: %w", err)
	}
	for {
		answer, err := d.postOnce(ctx, body)
		if err != nil {
			return nil, err
		}
		if answer.Allowed || answer.Result == nil || answer.Result.Code != http.StatusTooManyRequests {
			return answer, nil
		}
		wait := time.Second
		if d := answer.Result.Details; d != nil && d.RetryAfterSeconds > 0 {
			wait = time.Duration(d.RetryAfterSeconds) * time.Second
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (d *direct) postOnce(ctx context.Context, body []byte) (*admissionv1.AdmissionResponse, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.stage.url+"/validate?timeout=5s", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking fairway: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := d.stage.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking fairway: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var out admissionv1.AdmissionReview
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("reading fairway's answer (%s): %w", answer.Status, err)
	}
	if out.Response == nil {
		return nil, errors.New("fairway's answer has no response")
	}
	return out.Response, nil
}
