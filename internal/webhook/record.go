package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// longestLogged bounds a name in the log, in bytes. Kubernetes' own names are shorter; those of a
// caller that is no API server need not be.
const longestLogged = 253

// record counts a decision and writes its one line. Names are in the line and not in the metrics;
// nothing of an object's content is in either.
func (s *Server) record(x *exchange, req *change.Request, v *policy.Verdict, cause string) {
	took := time.Since(x.arrived)
	s.metrics.decided(v, req.DryRun, took)
	if x.traced != nil {
		x.follow(req, *v)
	}
	if !s.decisions.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	// The line is put together as the handler takes it: by way of a logger each value would be wrapped,
	// checked and unwrapped, and the program counter looked up.
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "admission decided", 0)
	line.AddAttrs(
		slog.String("uid", cut(req.UID, longestLogged)),
		slog.String("operation", cut(string(req.Operation), longestLogged)),
		slog.String("resource", cut(req.Resource.String(), longestLogged)),
		slog.String("namespace", cut(req.Namespace, longestLogged)),
		slog.String("name", cut(req.ID.Name, longestLogged)),
		slog.String("user", cut(req.User.Name, longestLogged)),
		slog.Bool("dryRun", req.DryRun),
		slog.String("tier", v.Tier),
		slog.Int64("tierGeneration", v.Generation),
		slog.String("lane", string(v.Lane)),
		slog.String("verdict", v.Outcome.String()),
		slog.Bool("admitted", v.Admits()),
		slog.Any("reasons", unmet(v)),
		slog.String("took", took.String()),
	)
	if cause != "" {
		line.AddAttrs(slog.String("cause", cause))
	}
	if v.Proof != nil {
		line.AddAttrs(slog.String("commit", v.Proof.Commit))
	}
	_ = s.decisions.Handle(context.Background(), line) // a log that cannot be written stops no answer
}

// buffer is what an answer is written into.
type buffer struct{ b []byte }

// bufferPool keeps answers' buffers.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *buffer {
	if got, ok := p.pool.Get().(*buffer); ok {
		return got
	}
	return &buffer{b: make([]byte, 0, 1<<10)}
}

// put keeps a buffer unless it has grown large.
func (p *bufferPool) put(b *buffer) {
	if cap(b.b) <= smallBuffer {
		b.b = b.b[:0]
		p.pool.Put(b)
	}
}
