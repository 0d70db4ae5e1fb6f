package policy

import (
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Facts is everything that is known about one request. Those that are cheap are always given; the
// others are gathered in stages, in the order in which Needs asks for them, and count only once
// their stage is in Gathered. A fact that was not gathered is one that nobody could tell.
type Facts struct {
	Request change.Request
	// Tiers must all allow the request: usually one; for a Namespace those before and after
	// (ruling 7), for Fairway's own kinds those of everything touched (ruling 6). None: refused.
	Tiers   []tier.Tier
	Binding tier.Binding // whose sources may deliver the object; the zero value has none
	// Beside are other bindings whose sources may: the cluster binding, of what engines deliver to the
	// namespaces of the cluster and of Fairway itself.
	Beside  []tier.Binding
	Install tier.Install
	People  tier.People
	// Repositories are those of the install, by name, for their addresses to be told.
	Repositories map[string]tier.Repository
	Now          time.Time
	// NamespaceUID is that of the live namespace; of Fairway's own for cluster-scoped objects.
	NamespaceUID string
	// Ending: the namespace has a deletionTimestamp.
	Ending change.Found
	// Sealed is the latch of ruling 9. ClusterBinding: the cluster binding could be read.
	Sealed, ClusterBinding change.Found
	// SealingWrite: the request creates the cluster binding with the repository and the key
	// fingerprint that were given at install. Asked only for that object.
	SealingWrite change.Found

	Gathered Need

	Shape Shape // NeedShape
	// SelfSigned: the object is a ProvenCommit with the prover's good signature. NeedSignature.
	SelfSigned change.Found
	Owner      Owner   // NeedOwner
	Reach      []Reach // NeedReach, one for each entry of Controllers(f)
	// Attested: the request touches what the newest proof of some source attests: a changed field,
	// or, for CREATE and DELETE, the object itself. NeedReach.
	Attested change.Found

	Origin     change.Origin // NeedProofs; a hint
	Candidates []Candidate   // NeedProofs
	// Making: a proof is being made right now for the commit that the request claims. NeedProofs.
	Making change.Found

	Renders []RenderFact // NeedRenders, one for each source of the binding and each tier
	Grants  []Grant      // NeedGrants
	Glass   GlassRequest // NeedGlass
}

// Shape is what an UPDATE changes, as canon sees it, and what kind of record an object is.
type Shape struct {
	// Hygiene: only bookkeeping of the closed list is removed, and no Apply set changes but that of a source
	// of the object, by what kubectl left behind (ruling 13).
	Hygiene change.Found
	// TakeOver: nothing changes but that the Apply entry of a source of the object takes over what its Update entry
	// owned, asked by one of those who deliver that source by Helm.
	TakeOver change.Found
	// StatusOnly: only .status and that sub-resource's managedFields entries change (ruling 15).
	StatusOnly change.Found
	// RestartOnly: only the annotation kubectl.kubernetes.io/restartedAt of the pod template changes.
	RestartOnly change.Found
	// CordonOnly: only spec.unschedulable of a Node changes.
	CordonOnly change.Found
	// Deleting: the old object has a deletionTimestamp.
	Deleting change.Found
	// Release: the object is nothing but Helm's record of this release, and was before; empty: it is not.
	// Told of every operation.
	Release string
}

// Owner is the controlling owner of the object (of the old one for DELETE and eviction). For
// Endpoints it is the Service of the same name, for a claim made by a StatefulSet the StatefulSet.
type Owner struct {
	ID change.ObjectID
	// Live: an object of that kind and name lives in the cluster under the UID of the reference.
	// Absent also where there is no reference at all.
	Live change.Found
	// Ending: the owner lives and has a deletionTimestamp.
	Ending change.Found
	// Gone: there is at least one owner reference, and none of the owners lives.
	Gone change.Found
	// Template: for CREATE the object equals what its owner's template asks for; for UPDATE what
	// comes from the template is as it was. Asked only where the owner's kind has a template.
	Template change.Found
	// Kept: for UPDATE, the owner references are what they were.
	Kept change.Found
}

// Reach says whether a request stays within the fields of a runtime lane.
type Reach struct {
	Controller string       // Name of the tier.Controller
	Within     change.Found // for UPDATE every changed field, for CREATE every field of the object
	Beyond     []string     // paths of the fields that are not, to be told
	Gained     []string     // paths within the fields that the request puts there or gives another
	// value, but for references to owners that only wait no more
}

// Fit is how a request compares with one proven object. The values beside FitBound and FitDiffers
// are canon's reasons, word for word. An unknown value is FitUnknown.
type Fit string

// The fits.
const (
	FitUnknown        Fit = ""        // nobody could tell
	FitBound          Fit = "Bound"   // it is the apply of exactly this content
	FitDiffers        Fit = "Differs" // it is an apply, of other content
	FitOtherVersion   Fit = "OtherVersion"
	FitNotApplied     Fit = "NotApplied" // no server-side apply by the source's manager
	FitForeignGain    Fit = "ForeignGain"
	FitForeignLoss    Fit = "ForeignLoss"
	FitForeignChange  Fit = "ForeignChange"
	FitForeignRemoval Fit = "ForeignRemoval"
	FitAddition       Fit = "Addition" // a field that nobody owns and that is no default
	FitDuplicate      Fit = "Duplicate"
	FitUnknownKind    Fit = "UnknownKind"
	FitUnreadable     Fit = "Unreadable"
)

// Candidate is one proof that speaks of the object.
type Candidate struct {
	Proof change.Proof
	Fit   Fit
	Paths []string // fields that the fit speaks of, never values
	// Manager is the field manager of the proof's source.
	Manager string
	Via     tier.Via // of the source
	// Tolerated are unowned fields that only the tier's tolerations admit; they are reported.
	Tolerated []string
	Standings []Standing // one for each tier of Facts
	// Marked: Delivered is the newest commit of this source admitted in this namespace (Present),
	// or there is none yet (Absent).
	Marked    change.Found
	Delivered *change.Delivered
	// DeliveredAt is when this very commit was last delivered here; zero: never.
	DeliveredAt time.Time
	// Rollback names the principals who signed for a roll-back to this proof, here.
	Rollback []string
	// OfRollback: the object is a hook that Helm runs in a roll-back alone.
	OfRollback change.Found
	// WentBack: this commit is delivered, and a newer one was before it.
	WentBack bool
}

// Standing is what a candidate's judgement by one tier is held against.
type Standing struct {
	Tier string
	// Digests are the policy-input digests that are accepted now (rulings 4 and 23).
	Digests []string
	// Newest: no newer proof of the source is admissible at the tier.
	Newest change.Found
}

// RenderFact is what one source's proofs say about an object that is to be deleted (ruling 17).
type RenderFact struct {
	Source, Tier string
	// Recreate and Via are the source's own: two bindings may have sources of one name.
	Recreate tier.Recreate
	Via      tier.Via
	// Absent: the newest proof admissible at the tier does not render the object, in any version.
	// A source without such a proof could not tell.
	Absent change.Found
	// Delivered: a delivered proof of the source renders it.
	Delivered change.Found
	// LiveBound: the live object is what the newest proof renders.
	LiveBound change.Found
	// Fills: the object is a Namespace, and that proof renders something that lives in it. Absent for
	// every other kind.
	Fills change.Found
	// Hook: the live object is a hook of a chart, as a delivered proof renders it.
	Hook change.Found
}

// Grant is one break-glass: two signed statements (ruling 24).
type Grant struct {
	Name string
	// Verified: the request and the approvals carry good signatures of their principals over this
	// grant: namespace UID, user, window and nonce.
	Verified     change.Found
	NamespaceUID string
	User         string // Kubernetes user name that may use it
	Requester    string // principal
	Approvers    []string
	From, Until  time.Time
	Spent        change.Found // used up or withdrawn
}

// Need names stages of facts. It is a set.
type Need uint8

// The stages, in the order in which they are asked for.
const (
	NeedShape     Need = 1 << iota // decode the objects and compare them
	NeedSignature                  // verify the prover's signature on the object
	NeedOwner                      // look the owner up
	NeedReach                      // compare with the fields of Controllers(f) and with the newest proofs
	NeedProofs                     // bind to the proofs of the object
	NeedRenders                    // ask the newest proofs about the object
	NeedGrants                     // look for break-glass
	NeedGlass                      // read the break-glass that is stored or deleted
)

// Has reports whether all stages of m are in n.
func (n Need) Has(m Need) bool { return n&m == m }
