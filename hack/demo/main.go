// Command demo tells Fairway's story on this machine: a real repository with signed commits and
// approvals, the real fairway binary serving from a directory, and real AdmissionReviews over
// HTTPS. With -cluster the same story goes through kubectl and a real API server. It prints a line a
// step and fails if a step is not as told.
//
// It needs Go and git, listens on 127.0.0.1 only, and removes what it made when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	onCluster := flag.Bool("cluster", false, "tell the story through kubectl on a real API server, built from source where it is not yet")
	flag.Parse()
	var at place = &direct{}
	if *onCluster {
		at = &cluster{}
	}
	if err := tell(ctx, at); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1) //nolint:gocritic // nothing is left to be undone
	}
}

// tell sets the stage and plays every step.
func tell(ctx context.Context, at place) (err error) {
	dir, err := os.MkdirTemp("", "fairway-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := newStage(ctx, dir, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for _, act := range []func(context.Context) error{s.sandbox, s.review, s.hidden, s.hands, s.back, s.emergency} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.say("")
	s.say("Every step came out as told: %d admitted, %d refused.", s.admitted, s.refused)
	return nil
}
