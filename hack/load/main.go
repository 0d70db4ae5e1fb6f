// Load measures what an admission front costs, and compares fronts in one run on one machine: a
// handler that drains the body and answers, a no-op handler on controller-runtime's webhook server,
// and Fairway's own front: with a judge that costs nothing, and with the gate in an open and in a gated
// tier.
//
// It is a closed loop: each client sends its next review when the last one is answered, over
// HTTP/1.1 with TLS on kept connections, as API servers do. Each server is a process of its own
// (the program runs itself again), so that its CPU time comes from the kernel's accounting and is
// not mixed with the clients'. In each cell of the table the servers take turns for a number of
// rounds, and the median of each figure counts. Clients and servers share the machine: trust the
// CPU time and the ratios, and take rates and latencies as rough.
//
// With -check the program fails where bar P2 is missed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// plan is what is measured.
type plan struct {
	clients   []int
	sizes     []int // of the object, bytes
	servers   []string
	operation string
	duration  time.Duration
	warmup    time.Duration
	rounds    int
}

func main() {
	p := plan{}
	clients := flag.String("clients", "1,8,32", "numbers of clients")
	sizes := flag.String("sizes", "1024,6144,204800", "sizes of the object, bytes")
	servers := flag.String("servers", everyServer, "servers to compare")
	flag.StringVar(&p.operation, "operation", "CREATE", "CREATE (open lane) or UPDATE with two equal objects (no-op lane)")
	flag.DurationVar(&p.duration, "duration", 2*time.Second, "of each measurement")
	flag.DurationVar(&p.warmup, "warmup", 500*time.Millisecond, "before each measurement")
	flag.IntVar(&p.rounds, "rounds", 3, "measurements of each cell; the median of each figure counts")
	asJSON := flag.Bool("json", false, "print JSON")
	check := flag.Bool("check", false, "fail where bar P2 is missed")
	child := flag.String("serve", "", "run one server (the program calls itself with this)")
	flag.Parse()
	if err := run(p, *clients, *sizes, *servers, *child, *asJSON, *check); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run does what the flags say.
func run(p plan, clients, sizes, servers, child string, asJSON, check bool) error {
	var err error
	if p.clients, err = numbers(clients); err != nil {
		return err
	}
	if p.sizes, err = numbers(sizes); err != nil {
		return err
	}
	if child != "" {
		return serveAsChild(child, p.sizes, os.Stdin, os.Stdout)
	}
	p.servers = strings.Split(servers, ",")
	results, err := p.measure(os.Stderr)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(results)
	} else {
		err = table(os.Stdout, results)
	}
	if missed := missedBars(results); err == nil && check && len(missed) > 0 {
		return fmt.Errorf("bar P2 is missed:\n%s", strings.Join(missed, "\n"))
	}
	return err
}

// numbers reads a list of positive numbers.
func numbers(list string) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("reading %q: not a list of positive numbers", list)
		}
		out = append(out, n)
	}
	return out, nil
}
