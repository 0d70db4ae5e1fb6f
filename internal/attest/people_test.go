package attest_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"golang.org/x/crypto/ssh"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The real keyring and signer are what the interfaces are for.
var (
	_ attest.Verifier = (*signature.Keyring)(nil)
	_ attest.Signer   = signature.Signer{}
)

// minute is a minute of the story that the tests tell.
func minute(n int) time.Time { return time.Date(2024, 5, 1, 12, n, 0, 0, time.UTC) }

// town is a set of people with keys that are always the same, so that envelopes are too.
type town struct {
	keyring *signature.Keyring
	people  tier.People
	signers map[string]signature.Signer // by "name" or "name/2" for a second key
}

func newTown(t testing.TB) town {
	t.Helper()
	w := town{signers: map[string]signature.Signer{}}
	team := tier.TeamSpec{Name: "shop"}
	for _, p := range []tier.Principal{{Name: "alice"}, {Name: "bob"}, {Name: "carol"}, {Name: "dave"}, {Name: "robot", Robot: true}} {
		for _, id := range []string{p.Name, p.Name + "/2"} {
			signer, public := newKey(t, id)
			w.signers[id] = signer
			p.Keys = append(p.Keys, tier.Key{Format: tier.SSH, Public: public})
		}
		team.Principals = append(team.Principals, p)
	}
	w.signers["stranger"], _ = newKey(t, "stranger")
	var conflicts, problems []string
	w.people, conflicts = tier.NewPeople("digest", []tier.TeamSpec{team})
	w.keyring, problems = signature.NewKeyring(w.people)
	if len(conflicts)+len(problems) > 0 {
		t.Fatal(conflicts, problems)
	}
	return w
}

// newKey is the key of that name, each time the same.
func newKey(t testing.TB, name string) (signature.Signer, string) {
	t.Helper()
	seed := sha256.Sum256([]byte("a key of the tests: " + name))
	private := ed25519.NewKeyFromSeed(seed[:])
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadSigner(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}

// id is an object id that is easy to read in a difference.
func id(c string) string  { return strings.Repeat(c, 40) }
func sum(c string) string { return strings.Repeat(c, 64) }

// anApproval is the approval that the tests vary.
func anApproval() attest.Approval {
	return attest.Approval{
		Repository: "https://git.example.com/shop.git", Branch: "main", MergeBase: id("a"), Head: id("b"), HeadTree: id("c"),
		RawDiffID: sum("d"), Decision: change.Approve, SaidAt: minute(1), Nonce: "NONCE-0123456789abcdef",
	}
}

func theUnit() change.Unit {
	return change.Unit{MergeBase: id("a"), Head: id("b"), RawDiffID: sum("d")}
}

func (w town) approve(t testing.TB, who string, a attest.Approval) []byte {
	t.Helper()
	envelope, err := attest.SignApproval(a, w.signers[who])
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// verified is an approval as it came from a ref.
func (w town) verified(t testing.TB, who string, sequence int, seen time.Time, a attest.Approval) attest.Verified {
	t.Helper()
	owner, _, _ := strings.Cut(who, "/")
	v, no := attest.FromRef(attest.Record{
		Ref: attest.RefPrefix + owner, Sequence: sequence, Commit: id("e"), SeenAt: seen, Envelope: w.approve(t, who, a),
	}, w.keyring)
	if no != nil {
		t.Fatalf("%s: %s", who, no)
	}
	return v
}

// forge signs whatever payload and type properly, as somebody with a good key and bad intent can.
func (w town) forge(t testing.TB, who, namespace, payloadType, payload string) dsse.Envelope {
	t.Helper()
	armour, err := w.signers[who].Sign(namespace, dsse.PAE(payloadType, []byte(payload)))
	if err != nil {
		t.Fatal(err)
	}
	return dsse.Envelope{
		PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString([]byte(payload)),
		Signatures: []dsse.Signature{{KeyID: w.signers[who].Fingerprint(), Sig: base64.StdEncoding.EncodeToString(armour)}},
	}
}

func write(t testing.TB, e any) string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// opened is an envelope and its payload, for tests that change one.
func opened(t testing.TB, envelope []byte) (dsse.Envelope, string) {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return e, string(payload)
}
