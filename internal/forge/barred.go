package forge

import (
	"maps"
	"slices"
	"time"
)

// barred are those who had a part in a change, and so cannot approve it: by account, and by
// principal, since one person may have two accounts.
type barred struct {
	accounts, principals map[string]string // to what they did
}

// barred gathers them. Whose an account is, is asked for now and for when it acted: an identity that
// was given up still says who wrote.
func (f Facts) barred(d Dossier) barred {
	b := barred{map[string]string{}, map[string]string{}}
	add := func(a Account, at time.Time, did string) {
		if a.ID == "" {
			return
		}
		b.accounts[a.ID] = did
		if f.Principal == nil {
			return
		}
		for _, t := range []time.Time{f.SeenAt, at} {
			if name, _, known := f.Principal(a, t); known {
				b.principals[name] = did
			}
		}
	}
	if f.MergerBarred {
		add(d.Merger, d.MergedAt, "merged the change")
	}
	for _, a := range d.Authors {
		add(a, d.UpdatedAt, "wrote a commit of the change")
	}
	for _, h := range d.Heads {
		add(h.By, h.At, "pushed to the change")
	}
	for _, a := range d.Pushers {
		add(a, d.UpdatedAt, "pushed to the change")
	}
	add(d.Author, d.UpdatedAt, "opened the change")
	for _, name := range f.Contributors {
		b.principals[name] = "contributed to the change"
	}
	return b
}

func (b barred) bars(a Account, principal string) bool { return b.why(a, principal) != "" }

func (b barred) why(a Account, principal string) string {
	if why, ok := b.accounts[a.ID]; ok {
		return why
	}
	return b.principals[principal]
}

// names are the principals, sorted.
func (b barred) names() []string { return slices.Sorted(maps.Keys(b.principals)) }
