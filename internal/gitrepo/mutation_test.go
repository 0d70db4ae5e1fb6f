package gitrepo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mutate changes a commit in a way that a pusher could: a byte, a line left out, doubled, moved or
// taken from another commit, white space put in or taken away.
func mutate(random *rand.Rand, raw, other string) string {
	lines := strings.SplitAfter(raw, "\n")
	donor := strings.SplitAfter(other, "\n")
	i, j := random.IntN(len(lines)), random.IntN(len(lines))
	switch random.IntN(8) {
	case 0:
		lines = slices.Delete(lines, i, i+1)
	case 1:
		lines = slices.Insert(lines, i, lines[j])
	case 2:
		lines[i], lines[j] = lines[j], lines[i]
	case 3:
		lines = slices.Insert(lines, i, donor[random.IntN(len(donor))])
	case 4:
		lines[i] = " " + lines[i]
	case 5:
		at := random.IntN(len(lines[i]) + 1)
		lines[i] = lines[i][:at] + string(" \t\r\n\x00<>+-0:\xff"[random.IntN(12)]) + lines[i][at:]
	case 6:
		if at := random.IntN(len(lines[i]) + 1); at > 0 {
			lines[i] = lines[i][:at-1] + lines[i][at:]
		}
	case 7:
		lines[i] = strings.TrimPrefix(lines[i], " ")
	}
	return strings.Join(lines, "")
}

// TestT11MutationsAgainstGit: whatever of thousands of damaged commits is accepted, git fsck accepts
// as well, and git log reads in the same way.
func TestT11MutationsAgainstGit(t *testing.T) {
	f := newForge(t)
	parent := f.commit("parent", files{"a": "b"})
	f.gitIn("", "mktree")
	var seeds []string
	for _, c := range corpus() {
		if len(c.raw) < 2000 {
			seeds = append(seeds, strings.ReplaceAll(c.raw, "PARENT", parent))
		}
	}
	random := rand.New(rand.NewPCG(11, 11))
	accepted := map[string]Object{}
	var paths strings.Builder
	dir := t.TempDir()
	for range 6000 {
		raw := seeds[random.IntN(len(seeds))]
		for range 1 + random.IntN(3) {
			raw = mutate(random, raw, seeds[random.IntN(len(seeds))])
		}
		id, _ := objectID("commit", []byte(raw), sha1Hex)
		o, err := ParseCommit(id, []byte(raw))
		if _, again := accepted[id]; err != nil || again || slices.ContainsFunc(o.Parents, func(p string) bool { return p != parent }) || o.Tree != someTree {
			continue // a missing parent or tree is another matter
		}
		accepted[id] = o
		name := fmt.Sprintf("%s/%d", dir, len(accepted))
		writeFile(t, name, raw)
		fmt.Fprintln(&paths, name)
	}
	if len(accepted) < 200 {
		t.Fatalf("only %d of the damaged commits are accepted: the test proves little", len(accepted))
	}
	f.gitIn(paths.String(), "hash-object", "-t", "commit", "-w", "--literally", "--stdin-paths")
	bad := fsckErrors(f)
	var ids strings.Builder
	for id, o := range accepted {
		if bad[id] {
			t.Errorf("accepted, but git fsck refuses it: %q", o.Payload)
		}
		fmt.Fprintln(&ids, id)
	}
	out := f.gitIn(ids.String(), "log", "--no-walk=unsorted", "--stdin", "--encoding=UTF-8", "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x01")
	read := 0
	for record := range strings.SplitSeq(out, "\x01\n") {
		fields := strings.Split(strings.TrimSuffix(record, "\x01"), "\x00")
		o, ok := accepted[fields[0]]
		if !ok {
			t.Fatalf("git log speaks of %q", fields[0])
		}
		read++
		want := reading(o.Commit)
		for i := range fields {
			fields[i] = clean(fields[i])
		}
		if diff := cmp.Diff(fields[1:], want); diff != "" {
			t.Errorf("read differently (-git +here):\n%s\n%q", diff, o.Payload)
		}
	}
	if read != len(accepted) {
		t.Errorf("git log reads %d of %d", read, len(accepted))
	}
}

// TestT11SignedMutationsAgainstGit: whatever of many damaged signed commits is accepted, git
// verify-commit and the signing program, given payload and signature as they are split here, agree.
func TestT11SignedMutationsAgainstGit(t *testing.T) {
	for _, s := range []signer{sshSigner(t), pgpSigner(t)} {
		parent := s.commit("parent", ground)
		id := s.git("commit-tree", "-S", "-p", parent, "-m", "signed\n\nTicket: OPS-1", s.git("rev-parse", parent+"^{tree}"))
		raw := s.git("cat-file", "commit", id) + "\n"
		random := rand.New(rand.NewPCG(12, 12))
		verdicts := map[bool]int{}
		for i := 0; verdicts[true]+verdicts[false] < 25 && i < 2000; i++ {
			damaged := mutate(random, raw, raw)
			id, _ := objectID("commit", []byte(damaged), sha1Hex)
			o, err := ParseCommit(id, []byte(damaged))
			if err != nil || len(o.Signature) == 0 || damaged == raw {
				continue
			}
			s.raw(damaged)
			git, here := s.gitVerifies(id), s.verify(t, o.Payload, o.Signature)
			verdicts[git]++
			if git != here {
				t.Errorf("%s: git verifies %t, the parts as split here %t: %q", s.name, git, here, damaged)
			}
		}
		if verdicts[false] < 5 {
			t.Errorf("%s: verdicts %v: the test proves little", s.name, verdicts)
		}
	}
}
