package policy

import "sync"

// Code is a stable reason code. Its meaning never changes, and a code that fell out of use is not
// given out again. FW0xx name the lane that admitted, FW1xx speak of a commit, FW2xx of a request,
// FW3xx of what happens at run time and of deletion, FW4xx of what could not be told.
type Code string

// Lanes that admit.
const (
	CodeExempt      Code = "FW001"
	CodeSelf        Code = "FW002"
	CodeNoOp        Code = "FW003"
	CodeHygiene     Code = "FW004"
	CodeOpen        Code = "FW005"
	CodeUnsealed    Code = "FW006"
	CodeSubresource Code = "FW007"
	CodeController  Code = "FW008"
	CodeProven      Code = "FW009"
	CodeRolledBack  Code = "FW010"
	CodeDeleted     Code = "FW011"
	CodeGlassBroken Code = "FW012"
	CodeRelease     Code = "FW013"
)

// What a commit can lack.
const (
	CodeTier        Code = "FW100"
	CodeBranch      Code = "FW101"
	CodeCoverage    Code = "FW102"
	CodeApproval    Code = "FW103"
	CodeReciprocity Code = "FW104"
	CodeSignature   Code = "FW105"
	CodeTrailer     Code = "FW106"
	CodeRender      Code = "FW107"
	CodeContinuity  Code = "FW108"
	CodeSource      Code = "FW109"
	CodeMore        Code = "FW110"
)

// What a request can lack.
const (
	CodeNotProven    Code = "FW201"
	CodeContent      Code = "FW202"
	CodeAdmissible   Code = "FW203"
	CodeJudgedAgain  Code = "FW204"
	CodeFresh        Code = "FW205"
	CodeRevoked      Code = "FW206"
	CodeDeclared     Code = "FW207"
	CodeConflict     Code = "FW208"
	CodeServerSide   Code = "FW209"
	CodeIncomparable Code = "FW210"
	CodeRollback     Code = "FW211"
	CodeBreakGlass   Code = "FW212"
	CodeReserved     Code = "FW213"
	CodeSealed       Code = "FW214"
	CodeSealing      Code = "FW215"
	CodeTwoSources   Code = "FW216"
	CodeUnsealing    Code = "FW217"
	CodeDeliverer    Code = "FW218"
)

// What is refused at run time, and on deletion.
const (
	CodeSubresourceRow Code = "FW301"
	CodeStatus         Code = "FW302"
	CodeConnect        Code = "FW303"
	CodeScale          Code = "FW304"
	CodeOwner          Code = "FW305"
	CodeBeyondLane     Code = "FW306"
	CodeRestart        Code = "FW307"
	CodeStillRendered  Code = "FW308"
	CodeNeverDelivered Code = "FW309"
)

// What could not be told.
const (
	CodeCannotTell  Code = "FW401"
	CodeBeingProven Code = "FW402"
	CodeUnheard     Code = "FW403"
)

// Entry explains one code. In Remedy {commit}, {namespace} and {repository}, an address, stand for those of the
// case.
type Entry struct {
	Code   Code
	Name   string // one word, for the first line of a message
	Reason string // short, for lists
	Means  string
	Remedy string
}

// Codes is the whole vocabulary, in order.
func Codes() []Entry {
	return []Entry{
		{CodeExempt, "Exempt", "exempt", "Events, leases, and questions that store nothing are judged by no tier.", ""},
		{CodeSelf, "Self", "Fairway's own write", "Fairway wrote its own record or status.", ""},
		{CodeNoOp, "NoOp", "changes nothing", "The object is byte for byte what it was.", ""},
		{CodeHygiene, "Hygiene", "bookkeeping only", "A listed engine removed its own bookkeeping and nothing else.", ""},
		{CodeOpen, "Open", "the tier is open", "The tier admits everything.", ""},
		{CodeUnsealed, "Unsealed", "the install is not sealed", "Cluster scope and Fairway's kinds are guarded by RBAC alone until a cluster binding seals the install.", "Create the TierBinding \"cluster\" to seal the install."},
		{CodeSubresource, "Subresource", "a sub-resource the tier allows", "A row of the table of sub-resources allows the write.", ""},
		{CodeController, "Controller", "a runtime lane", "A controller did what its row allows, and nothing that Git attests changed.", ""},
		{CodeProven, "Proven", "proven", "The content is what Git renders at a commit that the tier admits.", ""},
		{CodeRolledBack, "RolledBack", "rolled back", "The content was delivered here before, and the roll-back is approved.", ""},
		{CodeDeleted, "Deleted", "gone from Git", "Git rendered the object before and does not render it any more.", ""},
		{CodeGlassBroken, "GlassBroken", "break-glass", "A break-glass signed by two principals covers the request.", "Bring Git and the live state together before the review is due."},
		{CodeRelease, "ReleaseRecord", "a record of Helm's", "Helm keeps the release of a source in a Secret, which proves nothing.", ""},

		{CodeTier, "UnknownTier", "no such tier", "The tier does not exist or could not be read, so nothing is admitted in it.", "Create the EnvironmentTier, or correct the name in the TierBinding."},
		{CodeBranch, "NotOnBranch", "not on a protected branch", "The commit is not on the first-parent chain of a branch from which the tier takes commits.", "Land the change on the protected branch of the source."},
		{CodeCoverage, "NotCovered", "not covered by a review", "What landed is not proven to be what somebody looked at: a direct push, or a merge whose result differs from the reviewed change.", "Have exactly what landed approved: fairway approve {commit} --repository {repository}"},
		{CodeApproval, "NeedsApproval", "needs approval", "An approval rule of the tier is not filled by enough different people who did not write the change.", "Ask one of those named to run: fairway approve {commit} --repository {repository}"},
		{CodeReciprocity, "NeedsOtherTeam", "needs approval by another team", "Everybody who approved is of the contributors' own teams.", "Ask somebody of another team to run: fairway approve {commit} --repository {repository}"},
		{CodeSignature, "NotSigned", "not signed by a known person", "A commit does not carry a good signature of somebody whom the tier lists.", "Sign the commits with a key that is registered in a Team, and land them again."},
		{CodeTrailer, "TrailerMissing", "trailer missing", "The message of the change lacks a trailer that the tier asks for.", "Land the change again with the trailer in the message of the commit or of the merge."},
		{CodeRender, "NotRendered", "does not render", "The source does not render at the commit.", "Run to see why: fairway explain {commit} -n {namespace}"},
		{CodeContinuity, "HistoryRewritten", "history not continuous", "Nothing leads from what was proven last, or from the baseline, to this commit.", "Restore the branch, or have the cluster's owners set a new baseline on the Repository."},
		{CodeSource, "OtherSource", "not a source of this namespace", "The evidence is about a source, repository or branch that the binding does not list.", "List the source in the TierBinding, or deliver from one that is listed."},
		{CodeMore, "More", "and more", "There is more of the same than is shown.", "See all of it: fairway explain {commit} -n {namespace}"},

		{CodeNotProven, "NotProven", "not what Git renders", "No proof speaks of the object.", "Deliver it from Git; see what is known: fairway explain {commit} -n {namespace}"},
		{CodeContent, "ContentDiffers", "content differs from Git", "The request is not the apply of the content that Git renders.", "Make the change in Git, or see what differs: fairway explain {commit} -n {namespace}"},
		{CodeAdmissible, "NotAdmissible", "commit not admitted", "The content is proven, but the tier does not admit its commit.", "See what is missing: fairway explain {commit} -n {namespace}"},
		{CodeJudgedAgain, "JudgedAgain", "being judged again", "The tier, its people or its binding changed since the commit was judged.", "Wait: the commit is being judged again, and the next attempt finds the answer."},
		{CodeFresh, "NotFresh", "older than what was delivered", "A newer commit of the source has been delivered or proven already.", "Deliver the newest commit, or revert in Git; to go back now, use the roll-back lane."},
		{CodeRevoked, "Revoked", "proof revoked", "The commit left its branch, or an approval was withdrawn before delivery.", "Deliver a commit that is on the branch and approved."},
		{CodeDeclared, "NotDeclared", "does not say where it comes from", "The tier asks that each object name its repository and commit.", "Stamp the manifests before they are applied: fairway stamp"},
		{CodeConflict, "OriginConflict", "contradicts itself about its origin", "Labels and annotations name different origins.", "Remove the stale ones, or stamp the manifests anew: fairway stamp"},
		{CodeServerSide, "UseServerSideApply", "use server-side apply", "Gated tiers can only tell what a server-side apply by the source's field manager changes.", "Use server-side apply: kubectl apply --server-side; in Argo CD the sync option ServerSideApply=true."},
		{CodeIncomparable, "Incomparable", "cannot be compared", "The kind has no schema, or the object can be read in two ways.", "Install the CRD through Git first, and keep one item for each key of a list."},
		{CodeRollback, "NoRollback", "roll-back not possible", "The content is older than what was delivered, and the tier's conditions for a roll-back are not met.", "Sign for the roll-back: fairway rollback {commit} -n {namespace}"},
		{CodeBreakGlass, "NoBreakGlass", "break-glass does not cover it", "A break-glass exists, and does not cover this request.", "See the BreakGlass objects of the namespace; two principals sign, for one user and one window."},
		{CodeReserved, "Reserved", "written by Fairway alone", "Proofs, marks of delivery and records of changes are evidence; nobody but Fairway writes them.", "Leave the object alone; break-glass is the way in an emergency."},
		{CodeSealed, "SealedUnreadable", "sealed, and no binding to judge by", "The install is sealed, or may be, and its cluster binding could not be read.", "Restore the TierBinding \"cluster\"; break-glass is the way in an emergency."},
		{CodeSealing, "SealingRefused", "does not seal as installed", "The binding that seals the install must name the repository and the key fingerprint that were given at install.", "Name the repository and key that were given at install."},
		{CodeTwoSources, "TwoSources", "two sources render it", "An object has exactly one source. Where the newest commits of two sources render it, neither may deliver it.", "Remove it from one of the sources, and deliver that commit first."},
		{CodeUnsealing, "UnsealingRefused", "unsealing is break-glass", "Without its cluster binding the install could judge nothing of the cluster scope, Fairway's own configuration included.", "Change the binding through Git; to remove it use break-glass."},
		{CodeDeliverer, "OtherDeliverer", "not who delivers the source", "The content is proven, and the source lists who delivers it: this user, or this token, is not among them.", "Let the one whom the source lists apply it, or change via in the TierBinding."},

		{CodeSubresourceRow, "SubresourceRefused", "sub-resource refused", "The table of sub-resources does not allow the write in this tier.", "List the controller in the tier or binding, or use break-glass."},
		{CodeStatus, "StatusChangesMore", "changes more than status", "A write to /status changes something beside .status.", "Change metadata and spec in Git."},
		{CodeConnect, "ConnectRefused", "no connection into workloads", "The tier does not let people into running workloads.", "Use a tier that allows it, or break-glass."},
		{CodeScale, "ScaleRefused", "scale in Git", "The tier does not let this requester scale.", "Change the replicas in Git, or list the autoscaler in the tier or binding."},
		{CodeOwner, "OwnerNotLive", "no living owner", "The object is not placed by an owner that lives under the UID it names.", "Deliver the owner from Git; the system makes its children."},
		{CodeBeyondLane, "BeyondLane", "beyond its runtime lane", "A controller changed fields outside its row, or what Git attests.", "Change it in Git, or widen the entry in controllers[] of the tier or binding."},
		{CodeRestart, "RestartRefused", "restart by owners only", "Only an owner of the namespace may restart a workload without a commit.", "Ask an owner, or change the pod template in Git."},
		{CodeStillRendered, "StillInGit", "still in Git", "The newest proven commit of a source renders the object.", "Remove it in Git, and deliver that commit."},
		{CodeNeverDelivered, "NeverDelivered", "not from Git", "No delivered commit rendered the object, so its absence from Git says nothing.", "Bring it under Git first, or use break-glass."},

		{CodeCannotTell, "CannotTell", "could not tell", "Something that the verdict needs could not be found out.", "Try again; if it stays, see Fairway's own conditions and logs."},
		{CodeBeingProven, "BeingProven", "proof in the making", "The commit was seen and is being proven right now.", "Wait: the next attempt finds the proof."},
		{CodeUnheard, "Unproven", "unproven: the gate is cut off", "The gate has not heard the API server for so long that what it knows may be out of force: a tier, a proof, a key.", "Try again: another gate may hear it. If it stays, see why gates do not reach the API server (fairway_cluster_silence_seconds)."},
	}
}

// entries are the vocabulary by code, made once and read only.
var entries = sync.OnceValue(func() map[Code]Entry {
	m := map[Code]Entry{}
	for _, e := range Codes() {
		m[e.Code] = e
	}
	return m
})

// Lookup is the entry of a code. For a code without one it is that of CodeCannotTell.
func Lookup(c Code) Entry {
	e, ok := entries()[c]
	if !ok {
		return entries()[CodeCannotTell]
	}
	return e
}
