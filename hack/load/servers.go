package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// floor is the server that the bars compare with.
const floor = "controller-runtime"

// server is one front: it serves reviews at /validate on an address until the context ends.
type server struct {
	name  string
	serve func(ctx context.Context, address string, cert *tls.Certificate) error
}

// servers are the fronts that can be compared, for objects of these sizes: the two floors; ours with
// a judge that costs nothing; ours with the gate in an open tier, without and with its log line; ours
// with the gate in a gated tier, where a CREATE is proven.
func servers(sizes []int) ([]server, error) {
	open, err := judge(tier.Open, sizes)
	if err != nil {
		return nil, err
	}
	gated, err := judge(tier.Gated, sizes)
	if err != nil {
		return nil, err
	}
	return []server{
		{"drain", drain},
		{floor, controllerRuntime},
		{"front", fairway(fastLanes{}, logr.Discard())},
		{"open", fairway(open, logr.Discard())},
		{"open-logging", fairway(open, logr.FromSlogHandler(slog.NewJSONHandler(io.Discard, nil)))},
		{"proven", fairway(gated, logr.Discard())},
	}, nil
}

// everyServer names those that are compared where none is named.
const everyServer = "drain," + floor + ",front,open,open-logging,proven"

// drain reads the body, looks for nothing but the uid near its beginning, and allows. Nothing that
// answers over HTTP is cheaper.
func drain(ctx context.Context, address string, cert *tls.Certificate) error {
	s := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var head [512]byte
			n, _ := io.ReadFull(r.Body, head[:])
			_, _ = io.Copy(io.Discard, r.Body)
			_, after, _ := bytes.Cut(head[:n], []byte(`"uid":"`))
			uid, _, _ := bytes.Cut(after, []byte(`"`))
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"%s","allowed":true}}`, uid)
		}),
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	return s.ServeTLS(ln, "", "")
}

// controllerRuntime is a no-op admission.Handler as most webhooks run one.
func controllerRuntime(ctx context.Context, address string, cert *tls.Certificate) error {
	ctrllog.SetLogger(logr.Discard())
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s := ctrlwebhook.NewServer(ctrlwebhook.Options{Host: host, Port: number, TLSOpts: []func(*tls.Config){
		func(c *tls.Config) {
			c.MinVersion = tls.VersionTLS13
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }
		},
	}})
	s.Register("/validate", &admission.Webhook{
		Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
			return admission.Allowed("")
		}),
	})
	return s.Start(ctx)
}

// fairway is Fairway's front with a judge.
func fairway(judge webhook.Judge, log logr.Logger) func(context.Context, string, *tls.Certificate) error {
	return func(ctx context.Context, address string, cert *tls.Certificate) error {
		s := webhook.New(judge, webhook.Options{
			Log:            log,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
			Limits:         webhook.Limits{Grace: time.Millisecond},
		})
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go func() { _ = webhook.PaceGarbage(ctx) }() // as fairway serve does
		go func() {
			<-ctx.Done()
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = s.Shutdown(stop)
		}()
		return s.Serve(ln)
	}
}

// fastLanes judges by the request alone: no-op where nothing changes, open otherwise.
type fastLanes struct{}

// Judge allows.
func (fastLanes) Judge(_ context.Context, req *change.Request) policy.Verdict {
	v := policy.Verdict{
		Outcome: policy.Allow, Lane: policy.LaneOpen, Tier: "dev", Generation: 1, Enforcement: tier.Enforce,
		Object: req.ID, Operation: req.Operation, Namespace: req.Namespace,
	}
	if req.Operation == change.Update && bytes.Equal(req.Object, req.Old) {
		v.Lane = policy.LaneNoOp
	}
	return v
}
