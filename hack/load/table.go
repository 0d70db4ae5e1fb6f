package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// table prints the results for people.
func table(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "operation\tobject\tbody\tclients\tserver\treq/s\tp50 µs\tp99 µs\tCPU µs/req\t÷ "+floor+"\tpeak MiB\t")
	for _, r := range results {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%.0f\t%d\t%d\t%.1f\t%.2f\t%d\t\n",
			r.Operation, r.Size, r.Body, r.Clients, r.Server, r.Rate, r.P50.Microseconds(), r.P99.Microseconds(),
			float64(r.CPU)/float64(time.Microsecond), r.ToFloor, r.PeakRSS>>10)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s, %d CPUs shared by clients and server; HTTP/1.1 with TLS 1.3 on kept connections\n", runtime.Version(), runtime.NumCPU())
	return err
}

// bar is what a server may cost in CPU time for each request, as a part of what the floor costs with
// an object of the same size; 0 is no bar.
func bar(server string, size int) float64 {
	switch server {
	case "front", "open", "open-logging":
		if size >= 200<<10 {
			return 0.25
		}
		if size >= 6<<10 {
			return 0.45
		}
	case "proven":
		if size >= 6<<10 && size < 200<<10 {
			return 1
		}
	}
	return 0
}

// missedBars are the cells that are above bar P2.
func missedBars(results []result) []string {
	p99 := map[[2]int]time.Duration{}
	for _, r := range results {
		if r.Server == floor {
			p99[[2]int{r.Size, r.Clients}] = r.P99
		}
	}
	var missed []string
	for _, r := range results {
		floorP99, compared := p99[[2]int{r.Size, r.Clients}]
		if !compared || r.Server == floor || r.Server == "drain" {
			continue
		}
		cell := fmt.Sprintf("%s, %d bytes, %d clients", r.Server, r.Size, r.Clients)
		if limit := bar(r.Server, r.Size); limit > 0 && r.ToFloor > limit {
			missed = append(missed, fmt.Sprintf("%s: CPU %.2f of the floor's, bar %.2f", cell, r.ToFloor, limit))
		}
		if r.P99 > floorP99 {
			missed = append(missed, fmt.Sprintf("%s: p99 %v above the floor's %v", cell, r.P99, floorP99))
		}
	}
	return missed
}
