package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is one server in one cell of the table.
type result struct {
	Operation string        `json:"operation"`
	Size      int           `json:"objectBytes"`
	Body      int           `json:"bodyBytes"`
	Clients   int           `json:"clients"`
	Server    string        `json:"server"`
	Requests  int           `json:"requests"`
	Rate      float64       `json:"requestsPerSecond"`
	P50       time.Duration `json:"p50ns"`
	P99       time.Duration `json:"p99ns"`
	CPU       time.Duration `json:"cpuPerRequestNs"`
	ToFloor   float64       `json:"cpuToFloor"` // ratio of CPU per request to the floor's in the same cell; 0: no floor
	PeakRSS   int64         `json:"peakRSSKiB"`
}

// measure fills all cells.
func (p plan) measure(progress io.Writer) ([]result, error) {
	children := map[string]*process{}
	for _, name := range p.servers {
		child, err := start(name, p.sizes)
		if err != nil {
			return nil, err
		}
		defer child.stop()
		children[name] = child
	}
	var results []result
	for _, size := range p.sizes {
		body, err := payload(size, p.operation)
		if err != nil {
			return nil, err
		}
		for _, clients := range p.clients {
			_, _ = fmt.Fprintf(progress, "%s %d bytes, %d clients\n", p.operation, size, clients)
			cell, err := p.cell(children, body, clients)
			if err != nil {
				return nil, err
			}
			for _, r := range cell {
				r.Size = size
				results = append(results, r)
			}
		}
	}
	return results, nil
}

// cell lets the servers take turns and gives, for each, the median of every figure over the rounds.
func (p plan) cell(children map[string]*process, body []byte, clients int) ([]result, error) {
	rounds := map[string][]result{}
	for range p.rounds {
		for _, name := range p.servers {
			r, err := p.round(children[name], body, clients)
			if err != nil {
				return nil, fmt.Errorf("measuring %s: %w", name, err)
			}
			r.Server = name
			rounds[name] = append(rounds[name], r)
		}
	}
	var out []result
	for _, name := range p.servers {
		out = append(out, medians(rounds[name]))
	}
	for i := range out {
		for _, f := range out {
			if f.Server == floor {
				out[i].ToFloor = float64(out[i].CPU) / float64(f.CPU)
			}
		}
	}
	return out, nil
}

// medians is a result whose figures are each the median of the rounds'.
func medians(rounds []result) result {
	m := rounds[0]
	m.CPU = median(rounds, func(r result) time.Duration { return r.CPU })
	m.P50 = median(rounds, func(r result) time.Duration { return r.P50 })
	m.P99 = median(rounds, func(r result) time.Duration { return r.P99 })
	m.Rate = median(rounds, func(r result) float64 { return r.Rate })
	m.PeakRSS = median(rounds, func(r result) int64 { return r.PeakRSS })
	m.Requests = 0
	for _, r := range rounds {
		m.Requests += r.Requests
	}
	return m
}

// median is the middle one of a figure, the upper of two.
func median[T cmp.Ordered](rounds []result, figure func(result) T) T {
	all := make([]T, 0, len(rounds))
	for _, r := range rounds {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// round measures one server once.
func (p plan) round(child *process, body []byte, clients int) (result, error) {
	roots, err := authorities(child.Cert)
	if err != nil {
		return result{}, err
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
		MaxIdleConnsPerHost: clients,
		DisableCompression:  true,
	}
	defer transport.CloseIdleConnections()
	l := loop{client: &http.Client{Transport: transport}, url: "https://" + child.Address + "/validate?timeout=5s", body: body}
	if _, err := l.run(clients, p.warmup); err != nil {
		return result{}, err
	}
	before, err := child.usage()
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	times, err := l.run(clients, p.duration)
	if err != nil {
		return result{}, err
	}
	took := time.Since(began)
	after, err := child.usage()
	if err != nil {
		return result{}, err
	}
	slices.Sort(times)
	n := len(times)
	return result{
		Operation: p.operation, Body: len(body), Clients: clients, Requests: n,
		Rate: float64(n) / took.Seconds(),
		P50:  times[n/2], P99: times[n*99/100],
		CPU: (after.CPU - before.CPU) / time.Duration(n), PeakRSS: after.PeakRSS,
	}, nil
}

// loop sends the same review over and over.
type loop struct {
	client *http.Client
	url    string
	body   []byte
}

// run lets a number of clients send for some time, and gives the time that each request took.
func (l loop) run(clients int, d time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	end := time.Now().Add(d)
	times := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for errs[i] == nil && (len(times[i]) == 0 || time.Now().Before(end)) {
				began := time.Now()
				errs[i] = l.once(ctx)
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(times...), nil
}

// once sends a review and wants it allowed.
func (l loop) once(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(l.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"uid":"`+uid+`"`)) || !bytes.Contains(answer, []byte(`"allowed":true`)) {
		return fmt.Errorf("HTTP %d: %.200s", resp.StatusCode, answer)
	}
	return nil
}
