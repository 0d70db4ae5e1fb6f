package gitrepo

import (
	"net/netip"
	"time"
)

// Limits bound what one repository may cost (threat T-33). A zero field takes the default.
type Limits struct {
	FetchBytes int64         // written by one fetch; default 100 MiB
	FileBytes  int64         // of one file or object that is read; default 10 MiB
	Entries    int           // tree entries read for one render, or changed by one commit; default 50 000
	Depth      int           // components of a path; default 64
	Commits    int           // in one answer about history; default 100 000
	Refs       int           // that a remote may offer below the refs asked for; default 10 000
	Time       time.Duration // of one git process; default 60 s
}

// Credentials are how a mirror proves who it is to a forge. They are handed to git in its
// environment, never on its command line, and never stand in an error.
type Credentials struct {
	Username, Password string // for https
	// SSHKeyFile and KnownHostsFile are absolute paths, for ssh; both or neither.
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
	Proxy       string // for https; with a proxy the host's addresses are the proxy's to judge
	// AllowLoopback lets the URL name this machine, over http as well: for tests and labs.
	AllowLoopback bool
	// Resolve looks a host up; default: the system's resolver.
	Resolve func(host string) ([]netip.Addr, error)
}

// ApprovalRefs is the namespace of the append-only refs that carry signed approvals, one ref for
// each principal (ruling 22). A mirror always fetches it.
const ApprovalRefs = "refs/fairway/approvals/"

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	defInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.FetchBytes, 100<<20)
	def(&l.FileBytes, 10<<20)
	defInt(&l.Entries, 50_000)
	defInt(&l.Depth, 64)
	defInt(&l.Commits, 100_000)
	defInt(&l.Refs, 10_000)
	if l.Time == 0 {
		l.Time = 60 * time.Second
	}
	return l
}
