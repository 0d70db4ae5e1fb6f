package webhook

import (
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
	log := s.log.V(0)
	if !log.Enabled() {
		return
	}
	fields := []any{
		"uid", cut(req.UID, longestLogged),
		"operation", cut(string(req.Operation), longestLogged),
		"resource", cut(req.Resource.String(), longestLogged),
		"namespace", cut(req.Namespace, longestLogged),
		"name", cut(req.ID.Name, longestLogged),
		"user", cut(req.User.Name, longestLogged),
		"dryRun", req.DryRun,
		"tier", v.Tier,
		"lane", string(v.Lane),
		"verdict", v.Outcome.String(),
		"admitted", v.Admits(),
		"reasons", unmet(v),
		"took", took.String(),
	}
	if cause != "" {
		fields = append(fields, "cause", cause)
	}
	if v.Proof != nil {
		fields = append(fields, "commit", v.Proof.Commit)
	}
	log.Info("admission decided", fields...)
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
