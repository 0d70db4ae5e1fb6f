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

// missedBars are the cells in which the plain front is above bar P2.
func missedBars(results []result) []string {
	p99 := map[[2]int]time.Duration{}
	for _, r := range results {
		if r.Server == floor {
			p99[[2]int{r.Size, r.Clients}] = r.P99
		}
	}
	var missed []string
	for _, r := range results {
		limit := 1.0
		switch {
		case r.Server != "fairway" || r.ToFloor == 0:
			continue
		case r.Size >= 200<<10:
			limit = 0.25
		case r.Size >= 6<<10:
			limit = 0.45
		}
		if r.ToFloor > limit {
			missed = append(missed, fmt.Sprintf("%d bytes, %d clients: CPU %.2f of the floor's, bar %.2f", r.Size, r.Clients, r.ToFloor, limit))
		}
		if floorP99 := p99[[2]int{r.Size, r.Clients}]; r.P99 > floorP99 {
			missed = append(missed, fmt.Sprintf("%d bytes, %d clients: p99 %v above the floor's %v", r.Size, r.Clients, r.P99, floorP99))
		}
	}
	return missed
}
