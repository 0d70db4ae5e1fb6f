package gitrepo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// Parts of commits for the corpus.
const (
	someTree   = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // empty, in every repository
	someIdent  = "Ada <ada@example.com> 1700000000 +0000"
	sshArmour  = "-----BEGIN SSH SIGNATURE-----\n U1NIU0lHAAAAAQ==\n -----END SSH SIGNATURE-----"
	pgpArmour  = "-----BEGIN PGP SIGNATURE-----\n \n iQJIBAAB=\n -----END PGP SIGNATURE-----"
	plainStart = "tree " + someTree + "\nauthor " + someIdent + "\ncommitter " + someIdent + "\n"
)

// hostile is one commit of the corpus.
type hostile struct {
	name   string
	raw    string // PARENT stands for the id of a commit that exists
	refuse string // what the reason says; empty: accepted
	// Where git fsck accepts what is refused here, why it is refused all the same.
	stricter string
}

// corpus is threat T-11's: what a pusher could make to be read in two ways.

func corpus() []hostile {
	const twoReaders = "go-git and other readers take another value than git"
	const unsigned = "git leaves it out of the signed payload, so anybody can add it and make a new id"
	body := "\nmessage\n"
	return []hostile{
		{name: "plain", raw: plainStart + body},
		{name: "empty message", raw: plainStart + "\n"},
		{name: "one parent", raw: "tree " + someTree + "\nparent PARENT\nauthor " + someIdent + "\ncommitter " + someIdent + "\n" + body},
		{name: "same parent twice", raw: "tree " + someTree + "\nparent PARENT\nparent PARENT\nauthor " + someIdent + "\ncommitter " + someIdent + "\n" + body},
		{name: "encoding", raw: plainStart + "encoding ISO-8859-1\n\nm\xe9ssage\n"},
		{name: "no encoding, no UTF-8", raw: plainStart + "\nm\xe9ssage\n"},
		{name: "unknown header", raw: plainStart + "change-id abc\n" + body},
		{name: "unknown header that folds", raw: plainStart + "HG:extra a\n b\n  c\n \n" + body},
		{name: "mergetag", raw: plainStart + "mergetag object PARENT\n type commit\n tag v1\n tagger " + someIdent + "\n \n v1\n -----BEGIN PGP SIGNATURE-----\n" + body},
		{name: "two mergetags", raw: plainStart + "mergetag a\n b\nmergetag c\n" + body},
		{name: "ssh signature", raw: plainStart + "gpgsig " + sshArmour + "\n" + body},
		{name: "pgp signature", raw: plainStart + "gpgsig " + pgpArmour + "\n" + body},
		{name: "pgp signature as GitHub writes it", raw: plainStart + "gpgsig " + pgpArmour + "\n \n" + body},
		{name: "signature before encoding", raw: plainStart + "gpgsig " + sshArmour + "\nencoding UTF-8\n" + body},
		{name: "carriage returns in the message", raw: plainStart + "\nmessage\r\n\r\nKey: value\r\n"},
		{name: "no name", raw: "tree " + someTree + "\nauthor  <ada@example.com> 1 +0000\ncommitter " + someIdent + "\n" + body},
		{name: "empty address", raw: "tree " + someTree + "\nauthor Ada <> 1 +0000\ncommitter " + someIdent + "\n" + body},
		{name: "header in the message", raw: plainStart + "\ntree " + someTree + "\nparent PARENT\ngpgsig x\n"},

		{name: "nothing", raw: "", refuse: "no empty line"},
		{name: "only a message", raw: "\nmessage\n", refuse: "one tree"},
		{name: "no empty line", raw: plainStart, refuse: "no empty line", stricter: "cut objects are not told from whole ones"},
		{name: "last header cut", raw: strings.TrimSuffix(plainStart, "\n"), refuse: "does not end"},
		{name: "two trees", raw: "tree " + someTree + "\n" + plainStart + body, refuse: "author"},
		{name: "tree after committer", raw: plainStart + "tree " + someTree + "\n" + body, refuse: "misplaced tree", stricter: twoReaders},
		{name: "tree in capitals", raw: "tree " + strings.ToUpper(someTree) + plainStart[45:] + body, refuse: "one tree", stricter: "two spellings of one commit"},
		{name: "short tree", raw: "tree 4b825dc" + plainStart[45:] + body, refuse: "one tree"},
		{name: "sha256 tree in a sha1 commit", raw: "tree " + strings.Repeat("a", 64) + plainStart[45:] + body, refuse: "one tree"},
		{name: "tree folds", raw: "tree " + someTree + "\n x\n" + plainStart[46:] + body, refuse: "one tree"},
		{name: "two spaces after tree", raw: "tree  " + plainStart[5:] + body, refuse: "one tree"},
		{name: "short parent", raw: "tree " + someTree + "\nparent 4b825dc\nauthor " + someIdent + "\ncommitter " + someIdent + "\n" + body, refuse: "parent"},
		{name: "parent after author", raw: "tree " + someTree + "\nauthor " + someIdent + "\nparent PARENT\ncommitter " + someIdent + "\n" + body, refuse: "committer"},
		{name: "parent after committer", raw: plainStart + "parent PARENT\n" + body, refuse: "misplaced parent", stricter: twoReaders},
		{name: "parent before tree", raw: "parent PARENT\n" + plainStart + body, refuse: "one tree"},
		{name: "two authors", raw: "tree " + someTree + "\nauthor Eve <e@e> 1 +0000\nauthor " + someIdent + "\ncommitter " + someIdent + "\n" + body, refuse: "committer"},
		{name: "author after committer", raw: plainStart + "author Eve <e@e> 1 +0000\n" + body, refuse: "misplaced author", stricter: twoReaders},
		{name: "two committers", raw: plainStart + "committer Eve <e@e> 1 +0000\n" + body, refuse: "misplaced committer", stricter: twoReaders},
		{name: "committer before author", raw: "tree " + someTree + "\ncommitter " + someIdent + "\nauthor " + someIdent + "\n" + body, refuse: "author"},
		{name: "no author", raw: "tree " + someTree + "\ncommitter " + someIdent + "\n" + body, refuse: "author"},
		{name: "no committer", raw: "tree " + someTree + "\nauthor " + someIdent + "\n" + body, refuse: "committer"},
		{name: "author folds", raw: "tree " + someTree + "\nauthor " + someIdent + "\n x\ncommitter " + someIdent + "\n" + body, refuse: "author"},
		{name: "committer folds", raw: strings.TrimSuffix(plainStart, "\n") + "\n x\n" + body, refuse: "committer", stricter: twoReaders},
		{name: "begins with a continuation", raw: " x\n" + plainStart + body, refuse: "continuation"},

		{name: "author without address", raw: "tree " + someTree + "\nauthor Ada 1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "address"},
		{name: "author with two addresses", raw: "tree " + someTree + "\nauthor Ada <a@a> <b@b> 1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "date"},
		{name: "address in the name", raw: "tree " + someTree + "\nauthor Ada> <a@a> 1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "name"},
		{name: "name joined to address", raw: "tree " + someTree + "\nauthor Ada<a@a> 1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "name"},
		{name: "address first", raw: "tree " + someTree + "\nauthor <a@a> 1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "name"},
		{name: "no date", raw: "tree " + someTree + "\nauthor Ada <a@a>\ncommitter " + someIdent + "\n" + body, refuse: "space"},
		{name: "date padded with zeros", raw: "tree " + someTree + "\nauthor Ada <a@a> 01 +0000\ncommitter " + someIdent + "\n" + body, refuse: "date"},
		{name: "negative date", raw: "tree " + someTree + "\nauthor Ada <a@a> -1 +0000\ncommitter " + someIdent + "\n" + body, refuse: "date"},
		{name: "date of 30 digits", raw: "tree " + someTree + "\nauthor Ada <a@a> " + strings.Repeat("9", 30) + " +0000\ncommitter " + someIdent + "\n" + body, refuse: "9999"},
		{name: "year 10000", raw: "tree " + someTree + "\nauthor Ada <a@a> 253402300800 +0000\ncommitter " + someIdent + "\n" + body, refuse: "9999", stricter: "no such time in JSON"},
		{name: "zone of three digits", raw: "tree " + someTree + "\nauthor Ada <a@a> 1 +000\ncommitter " + someIdent + "\n" + body, refuse: "zone"},
		{name: "zone without sign", raw: "tree " + someTree + "\nauthor Ada <a@a> 1 00000\ncommitter " + someIdent + "\n" + body, refuse: "zone"},
		{name: "more after the zone", raw: "tree " + someTree + "\nauthor Ada <a@a> 1 +0000 x\ncommitter " + someIdent + "\n" + body, refuse: "zone"},

		{name: "NUL in a header", raw: plainStart + "x a\x00b\n" + body, refuse: "NUL"},
		{name: "NUL in the message", raw: plainStart + "\nmess\x00age\n", refuse: "NUL", stricter: "git log ends the message there, the signature does not"},
		{name: "NUL after the signature", raw: plainStart + "gpgsig " + sshArmour + "\n" + body + "\x00hidden", refuse: "NUL", stricter: "git log ends the message there"},
		{name: "carriage return after tree", raw: "tree " + someTree + "\r\n" + plainStart[46:] + body, refuse: "carriage return"},
		{name: "carriage return in the signature", raw: plainStart + "gpgsig " + strings.ReplaceAll(sshArmour, "\n", "\r\n") + "\r\n" + body, refuse: "carriage return", stricter: "some verifiers strip it, others do not"},
		{name: "carriage return ends the headers", raw: plainStart + "\r\n" + body, refuse: "carriage return", stricter: "a message for some, a header for others"},
		{name: "two encodings", raw: plainStart + "encoding UTF-8\nencoding ISO-8859-1\n" + body, refuse: "encoding", stricter: twoReaders},
		{name: "folded encoding", raw: plainStart + "encoding UTF-8\n x\n" + body, refuse: "encoding", stricter: twoReaders},
		{name: "encoding that moves letters", raw: plainStart + "encoding UTF-7\n\n+AEE-\n", refuse: "encoding", stricter: "its trailers say one thing to git and another here"},
		{name: "header without value", raw: plainStart + "lonely\n" + body, refuse: "name and a value", stricter: twoReaders},
		{name: "header with a tab", raw: plainStart + "a\tb c\n" + body, refuse: "name and a value", stricter: twoReaders},

		{name: "two signatures", raw: plainStart + "gpgsig " + sshArmour + "\ngpgsig " + sshArmour + "\n" + body, refuse: "second signature", stricter: "git joins them, ssh-keygen reads the first, others the last"},
		{name: "header that begins with gpgsig", raw: plainStart + "gpgsigX junk\ngpgsig " + sshArmour + "\n" + body, refuse: "leave out", stricter: unsigned},
		{name: "signature of the other hash", raw: plainStart + "gpgsig-sha256 " + sshArmour + "\n" + body, refuse: "leave out", stricter: unsigned},
		{name: "both signatures", raw: plainStart + "gpgsig " + sshArmour + "\ngpgsig-sha256 " + sshArmour + "\n" + body, refuse: "leave out", stricter: unsigned},
		{name: "junk after the armour", raw: plainStart + "gpgsig " + sshArmour + "\n junk\n" + body, refuse: "end with its armour", stricter: unsigned},
		{name: "junk before the armour", raw: plainStart + "gpgsig junk\n " + sshArmour + "\n" + body, refuse: "known armour", stricter: unsigned},
		{name: "two blank lines after the armour", raw: plainStart + "gpgsig " + pgpArmour + "\n \n \n" + body, refuse: "end with its armour", stricter: unsigned},
		{name: "blank line before the armour", raw: plainStart + "gpgsig \n " + pgpArmour + "\n" + body, refuse: "known armour", stricter: unsigned},
		{name: "two blocks", raw: plainStart + "gpgsig " + sshArmour + "\n " + sshArmour + "\n" + body, refuse: "one armoured block", stricter: unsigned},
		{name: "block in a block", raw: plainStart + "gpgsig -----BEGIN SSH SIGNATURE-----\n -----BEGIN SSH SIGNATURE-----\n x\n -----END SSH SIGNATURE-----\n" + body, refuse: "one armoured block", stricter: unsigned},
		{name: "armour ends as another", raw: plainStart + "gpgsig -----BEGIN SSH SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n" + body, refuse: "end with its armour", stricter: unsigned},
		{name: "unknown armour", raw: plainStart + "gpgsig -----BEGIN X SIGNATURE-----\n x\n -----END X SIGNATURE-----\n" + body, refuse: "known armour", stricter: unsigned},
		{name: "empty armour", raw: plainStart + "gpgsig -----BEGIN SSH SIGNATURE-----\n -----END SSH SIGNATURE-----\n" + body, refuse: "end with its armour", stricter: unsigned},
		{name: "space at the end of the armour", raw: plainStart + "gpgsig " + sshArmour + " \n" + body, refuse: "end with its armour", stricter: unsigned},
		{name: "second space before a line of armour", raw: plainStart + "gpgsig " + strings.Replace(sshArmour, "\n U1", "\n  U1", 1) + "\n" + body, refuse: "one armoured block", stricter: unsigned},
		{name: "signature of 70 KiB", raw: plainStart + "gpgsig -----BEGIN SSH SIGNATURE-----\n " + strings.Repeat("A", 70<<10) + "\n -----END SSH SIGNATURE-----\n" + body, refuse: "64 KiB", stricter: "no signature is so long"},
		{name: "no signature but text", raw: plainStart + "gpgsig hello\n" + body, refuse: "known armour", stricter: "neither signed nor unsigned"},
	}
}

// TestT11CorpusAgainstGit holds the two sides of the promise: what is accepted, git accepts and reads
// in the same way; what is refused, git refuses as well or the table says why it is.
func TestT11CorpusAgainstGit(t *testing.T) {
	f := newForge(t)
	parent := f.commit("parent", files{"a": "b"})
	f.gitIn("", "mktree")
	var ids, raws []string
	for _, c := range corpus() {
		raw := strings.ReplaceAll(c.raw, "PARENT", parent)
		raws = append(raws, raw)
		ids = append(ids, f.raw(raw))
	}
	fsck := fsckErrors(f)
	accepted := 0
	for i, c := range corpus() {
		t.Run(c.name, func(t *testing.T) {
			o, err := ParseCommit(ids[i], []byte(raws[i]))
			if c.refuse != "" {
				refusedFor(t, err, ids[i], c.refuse)
				if gitToo := fsck[ids[i]]; gitToo == (c.stricter != "") {
					t.Errorf("git fsck refuses: %t; the table's reason to be stricter: %q", gitToo, c.stricter)
				}
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			accepted++
			if fsck[ids[i]] {
				t.Error("accepted, but git fsck refuses it")
			}
			if diff := cmp.Diff(gitReads(f, ids[i]), reading(o.Commit)); diff != "" {
				t.Errorf("read differently (-git +here):\n%s", diff)
			}
		})
	}
	if n := len(corpus()); n < 60 || accepted < 10 {
		t.Errorf("corpus of %d with %d accepted: it is meant to be larger", n, accepted)
	}
}

func refusedFor(t *testing.T, err error, id, reason string) {
	t.Helper()
	var refused *MalformedError
	switch {
	case !errors.As(err, &refused) || !errors.Is(err, ErrMalformed):
		t.Errorf("error %v, want a MalformedError", err)
	case refused.ID != id || !strings.Contains(refused.Reason, reason):
		t.Errorf("refused for %q (id %s), want %q", refused.Reason, refused.ID, reason)
	}
}

// fsckErrors are the objects that git fsck reports errors of.
func fsckErrors(f *forge) map[string]bool {
	cmd := f.command("fsck", "--full", "--no-dangling", "--no-progress")
	out, _ := cmd.CombinedOutput() // it fails where it reports anything
	bad := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimPrefix(line, "error: ")
		if rest, ok := strings.CutPrefix(line, "error in commit "); ok {
			bad[rest[:40]] = true
		} else if strings.Contains(line, "object could not be parsed") || strings.Contains(line, "bogus commit") ||
			strings.Contains(line, "object corrupt or missing") || strings.Contains(line, "bad tree pointer") || strings.Contains(line, "bad parents") {
			for word := range strings.FieldsSeq(strings.ReplaceAll(line, ":", " ")) {
				bad[word] = true
			}
		}
	}
	return bad
}

// gitReads is what git takes a commit to say; reading is the same of ours.
func gitReads(f *forge, id string) []string {
	out := f.git("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct", id)
	return strings.Split(out, "\x00")
}

func reading(c change.Commit) []string {
	return []string{
		c.Tree, strings.Join(c.Parents, " "), c.Author.Name, c.Author.Email, fmt.Sprint(c.Author.When.Unix()),
		c.Committer.Name, c.Committer.Email, fmt.Sprint(c.Committer.When.Unix()),
	}
}

func TestParseCommit(t *testing.T) {
	raw := "tree " + someTree + "\nparent " + strings.Repeat("1", 40) + "\nparent " + strings.Repeat("2", 40) + "\n" +
		"author Ada L. <ada@example.com> 1700000000 +0100\ncommitter Bob <bob@example.com> 1700000060 -0700\n" +
		"encoding ISO-8859-1\ngpgsig " + sshArmour + "\n\n\nR\xe9sum\xe9 of it\nmore\n\nBody.\n\nTicket: OPS-1\nSigned-off-by: B\xe9a <b@c>\n"
	id, _ := objectID("commit", []byte(raw), sha1Hex)
	o, err := ParseCommit(id, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := change.Commit{
		ID: id, Tree: someTree, Parents: []string{strings.Repeat("1", 40), strings.Repeat("2", 40)},
		Author:    change.Person{Name: "Ada L.", Email: "ada@example.com", When: time.Unix(1700000000, 0).UTC()},
		Committer: change.Person{Name: "Bob", Email: "bob@example.com", When: time.Unix(1700000060, 0).UTC()},
		Subject:   "Résumé of it",
		Trailers:  []change.Trailer{{Key: "Ticket", Value: "OPS-1"}, {Key: "Signed-off-by", Value: "Béa <b@c>"}},
	}
	if diff := cmp.Diff(want, o.Commit); diff != "" {
		t.Errorf("commit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(strings.Replace(raw, "gpgsig "+sshArmour+"\n", "", 1), string(o.Payload)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(strings.ReplaceAll(sshArmour, "\n ", "\n")+"\n", string(o.Signature)); diff != "" {
		t.Errorf("signature (-want +got):\n%s", diff)
	}
}

func TestParseCommitOfSHA256(t *testing.T) {
	tree := strings.Repeat("a", sha256Hex)
	raw := "tree " + tree + "\nauthor " + someIdent + "\ncommitter " + someIdent + "\ngpgsig-sha256 " + sshArmour + "\n\nm\n"
	id, _ := objectID("commit", []byte(raw), sha256Hex)
	o, err := ParseCommit(id, []byte(raw))
	if err != nil || len(o.Signature) == 0 || o.Tree != tree {
		t.Errorf("object %+v, error %v", o, err)
	}
	other := strings.Replace(raw, "gpgsig-sha256", "gpgsig", 1)
	id, _ = objectID("commit", []byte(other), sha256Hex)
	_, err = ParseCommit(id, []byte(other))
	refusedFor(t, err, id, "leave out")
}

func TestParseCommitRecomputesTheID(t *testing.T) {
	raw := []byte(plainStart + "\nm\n")
	id, _ := objectID("commit", raw, sha1Hex)
	if _, err := ParseCommit(id, raw); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{strings.Repeat("0", 40), strings.ToUpper(id), id[:39], id + " ", "", "main", strings.Repeat("0", 64)} {
		if _, err := ParseCommit(wrong, raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("id %q: error %v, want ErrMalformed", wrong, err)
		}
	}
	if _, err := ParseCommit(id, append(raw, '\n')); !errors.Is(err, ErrMalformed) {
		t.Errorf("other bytes: error %v, want ErrMalformed", err)
	}
}

func TestParseCommitIsBounded(t *testing.T) {
	raw := []byte(plainStart + "\n" + strings.Repeat("x", maxCommit))
	id, _ := objectID("commit", raw, sha1Hex)
	_, err := ParseCommit(id, raw)
	refusedFor(t, err, id, "larger")
	f := newForge(t)
	f.set("refs/heads/main", f.commit("0", ground))
	_, err = f.clone().Object(ctx(t), f.raw(string(raw)))
	refusedFor(t, err, id, "larger")
}

// FuzzParseCommit holds what is promised of every commit that is accepted.
func FuzzParseCommit(f *testing.F) {
	for _, c := range corpus() {
		f.Add([]byte(strings.ReplaceAll(c.raw, "PARENT", someTree)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, _ := objectID("commit", raw, sha1Hex)
		o, err := ParseCommit(id, raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		// Putting the signature back gives the stored bytes, or what differs is GitHub's blank line.
		if len(o.Signature) > 0 {
			folded := "gpgsig " + strings.ReplaceAll(strings.TrimSuffix(string(o.Signature), "\n"), "\n", "\n ") + "\n"
			if n := len(raw) - len(o.Payload) - len(folded); n != 0 && n != len(" \n") {
				t.Fatalf("%d bytes are in neither the payload nor the signature", n)
			}
		} else if string(o.Payload) != string(raw) {
			t.Fatal("payload of an unsigned commit is not its bytes")
		}
		// The payload alone is the same commit without its signature.
		id, _ = objectID("commit", o.Payload, sha1Hex)
		p, err := ParseCommit(id, o.Payload)
		if err != nil {
			t.Fatalf("payload is refused: %v", err)
		}
		p.ID = o.ID
		if diff := cmp.Diff(o.Commit, p.Commit); diff != "" || len(p.Signature) > 0 {
			t.Fatalf("payload reads differently:\n%s", diff)
		}
	})
}
