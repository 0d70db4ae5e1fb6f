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
// With -slow it holds slow connections to the last of the servers instead, of the first size, and tells what as
// many good clients as the first number notice of them (T-32).
//
// With -check the program fails where bar P2 is missed, or with -slow those of T-32.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// plan is what is measured, and how it is told.
type plan struct {
	clients   []int
	sizes     []int // of the object, bytes
	servers   []string
	operation string
	duration  time.Duration
	warmup    time.Duration
	rounds    int
	asJSON    bool
	check     bool
	slow      int    // slow connections to hold; 0: compare servers
	child     string // run this server, and measure nothing
	crowd     int    // be slow on so many connections, and measure nothing
}

func main() {
	p, err := flags(os.Args[1:])
	if err == nil {
		err = p.run()
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// flags reads the command line.
func flags(args []string) (plan, error) {
	var p plan
	set := flag.NewFlagSet("load", flag.ContinueOnError)
	clients := set.String("clients", "1,8,32", "numbers of clients")
	sizes := set.String("sizes", "1024,6144,204800", "sizes of the object, bytes")
	servers := set.String("servers", everyServer, "servers to compare")
	set.StringVar(&p.operation, "operation", "CREATE", "CREATE, or UPDATE with two equal objects (no-op lane)")
	set.DurationVar(&p.duration, "duration", 2*time.Second, "of each measurement")
	set.DurationVar(&p.warmup, "warmup", 500*time.Millisecond, "before each measurement")
	set.IntVar(&p.rounds, "rounds", 3, "measurements of each cell; the median of each figure counts")
	set.BoolVar(&p.asJSON, "json", false, "print JSON")
	set.IntVar(&p.slow, "slow", 0, "hold so many slow connections for -duration, and tell what good clients notice")
	set.BoolVar(&p.check, "check", false, "fail where bar P2 is missed, or with -slow those of T-32")
	set.StringVar(&p.child, "serve", "", "run one server (the program calls itself with this)")
	set.IntVar(&p.crowd, "crowd", 0, "be so many slow callers (the same)")
	err := set.Parse(args)
	if err != nil {
		return p, err
	}
	if p.clients, err = numbers(*clients); err != nil {
		return p, err
	}
	if p.rounds < 1 {
		return p, fmt.Errorf("%d rounds are no measurement", p.rounds)
	}
	p.servers = strings.Split(*servers, ",")
	p.sizes, err = numbers(*sizes)
	return p, err
}

// run serves, or measures and tells.
func (p plan) run() error {
	if p.crowd > 0 {
		return crowdAsChild(p.crowd, os.Stdin, os.Stdout)
	}
	if p.child != "" {
		return serveAsChild(p.child, p.sizes, os.Stdin, os.Stdout)
	}
	if p.slow > 0 {
		return p.besideSlow(os.Stdout)
	}
	results, err := p.measure(os.Stderr)
	if err != nil {
		return err
	}
	if p.asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(results)
	} else {
		err = table(os.Stdout, results)
	}
	if missed := missedBars(results); err == nil && p.check && len(missed) > 0 {
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
