package attest

import "slices"

// Names are the addresses of one repository. A statement may name it by any of them, since people
// clone over different transports; what counts is that all mean one repository, which the Repository
// says and nobody else.
type Names struct {
	URL     string // canonical
	Aliases []string
}

// of is the canonical address for one that is among the names, and any other address as it is.
func (n Names) of(url string) string {
	if slices.Contains(n.Aliases, url) {
		return n.URL
	}
	return url
}

// Approvals are statements that name the repository by its canonical address, so that an approval
// and its withdrawal meet by whichever name each was given. Their digests stay those of what was signed.
func (n Names) Approvals(said []Verified) []Verified {
	out := slices.Clone(said)
	for i := range out {
		out[i].statement.Repository = n.of(out[i].statement.Repository)
	}
	return out
}

// Rollbacks are the same for approvals of a roll-back.
func (n Names) Rollbacks(said []Signed[Rollback]) []Signed[Rollback] {
	out := slices.Clone(said)
	for i := range out {
		out[i].statement.Source.Repository = n.of(out[i].statement.Source.Repository)
	}
	return out
}
