package gitrepo

import (
	"context"
	"net/netip"
	"time"
)

// Limits bound what one repository may cost (threat T-33). A zero field takes the default.
type Limits struct {
	FetchBytes int64         // of any one file that a fetch writes, packs first of all; default 100 MiB
	FileBytes  int64         // of one file or object that is read; default 10 MiB
	Memory     int64         // of one git process, in bytes of private data (Linux); default 2 GiB
	Entries    int           // tree entries read for one render, or changed in one comparison; default 50 000
	Depth      int           // components of a path; default 64
	Commits    int           // in one answer about history; default 100 000
	Refs       int           // in one answer about refs; default 10 000
	Merges     int           // merges tried for one Cover without a hint in the history; default 128
	Time       time.Duration // of one git process; default 60 s
}

// Credentials are how a mirror proves who it is to a forge. They are handed to git in its
// environment, never on its command line, and never stand in an error.
type Credentials struct {
	Username, Password string // for https
	// SSHKeyFile and KnownHostsFile are absolute paths; ssh needs both.
	SSHKeyFile, KnownHostsFile string
}

// Options are the settings of a Mirror.
type Options struct {
	// Branches are the protected branches to fetch, without "refs/heads/".
	Branches    []string
	Credentials Credentials
	Limits      Limits
	Git         string // path of the git binary; default "git"
	CAFile      string // PEM bundle for https; default: the system's
	Proxy       string // URL, for https; with a proxy, a host's addresses are the proxy's to judge
	// AllowLoopback lets the URL name this machine, over http as well: for tests and labs.
	AllowLoopback bool
	// Resolve looks a host up; default: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// ApprovalRefs is the namespace of the append-only refs that carry signed approvals, one ref for
// each principal (ruling 22). A mirror always fetches it.
const ApprovalRefs = "refs/fairway/approvals/"

func (l Limits) withDefaults() Limits {
	l.FetchBytes = orDefault(l.FetchBytes, 100<<20)
	l.FileBytes = orDefault(l.FileBytes, 10<<20)
	l.Memory = orDefault(l.Memory, 2<<30)
	l.Entries = orDefault(l.Entries, 50_000)
	l.Depth = orDefault(l.Depth, 64)
	l.Commits = orDefault(l.Commits, 100_000)
	l.Refs = orDefault(l.Refs, 10_000)
	l.Merges = orDefault(l.Merges, 128)
	l.Time = orDefault(l.Time, 60*time.Second)
	return l
}

func orDefault[N int | int64 | time.Duration](v, d N) N {
	if v == 0 {
		return d
	}
	return v
}
