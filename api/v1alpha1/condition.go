package v1alpha1

// The types of conditions. The comment of each says what True means; for all of them True is the
// good state unless the comment says otherwise, and a condition that is missing counts as Unknown.
const (
	// ConditionReady: the object was compiled and is in force. False: it is not, and Fairway goes on
	// with the strictest reading of it; the message says what to mend. On every kind but ProvenCommit.
	ConditionReady = "Ready"
	// ConditionEnforcing (TierBinding): every live object of the namespace binds to a proof, or is
	// listed in status.inherited (ruling 10). False: the sweep is not done, or found an object that is
	// neither; new changes are judged all the same.
	ConditionEnforcing = "Enforcing"
	// ConditionUnsealed (TierBinding named cluster): True is the bad state: RBAC alone guards
	// Fairway's own kinds (ruling 9).
	ConditionUnsealed = "Unsealed"
	// ConditionCoverageGap (TierBinding named cluster): True is the bad state: the cluster has ways to
	// change objects that no gate is asked about and nothing else guards; the message names them.
	ConditionCoverageGap = "CoverageGap"
	// ConditionWebhookLoop (TierBinding named cluster): True is the bad state: webhooks of others wait for
	// Fairway to start while Fairway waits for them; the message names them and says what to change.
	ConditionWebhookLoop = "WebhookLoop"
	// ConditionFetched (Repository): the mirror has all branches as the remote showed them at the last
	// poll. False: the last fetch failed, and what was mirrored before is still used.
	ConditionFetched = "Fetched"
	// ConditionForgeAsked (Repository whose reviews on a forge count): the forge answered at the last look.
	// False: it could not be asked; commits that were proven stay so, and new ones wait.
	ConditionForgeAsked = "ForgeAsked"
	// ConditionRewound (Repository): True is the bad state: a branch or the ref of approvals went back
	// behind what was seen before. Stored evidence is used, and nothing of the rewound ref is believed.
	ConditionRewound = "Rewound"
	// ConditionActive (BreakGlass): it covers its user now. False: it is not open yet, lacks an
	// approval, or is over. Neither value is bad.
	ConditionActive = "Active"
	// ConditionExpired (BreakGlass): its window is over. Neither value is bad.
	ConditionExpired = "Expired"
	// ConditionSettled (BreakGlass): its window is over and no object differs from Git because of it.
	// False after the window: status.debt lists what still differs.
	ConditionSettled = "Settled"
)

// The reasons of conditions. A reason's meaning never changes.
const (
	ReasonCompiled           = "Compiled"           // Ready: checked and in force
	ReasonInvalid            = "Invalid"            // Ready: the spec contradicts itself
	ReasonNotFound           = "NotFound"           // Ready: names an object that does not exist
	ReasonUnsatisfiable      = "Unsatisfiable"      // Ready: the people there are cannot meet the rules
	ReasonIdentityConflict   = "IdentityConflict"   // Ready: an identity is claimed by two principals
	ReasonObjectConflict     = "ObjectConflict"     // Ready: two sources render the same object (ruling 11)
	ReasonSwept              = "Swept"              // Enforcing: all live objects are accounted for
	ReasonSweeping           = "Sweeping"           // Enforcing: the sweep has not finished
	ReasonUnproven           = "Unproven"           // Enforcing: live objects without proof
	ReasonFetched            = "Fetched"            // Fetched: the last poll succeeded
	ReasonFetchFailed        = "FetchFailed"        // Fetched: the remote could not be read
	ReasonCredentials        = "Credentials"        // Fetched: the Secret is missing or was refused
	ReasonOverLimit          = "OverLimit"          // Fetched: the repository is over a limit
	ReasonForgeAnswered      = "ForgeAnswered"      // ForgeAsked: the forge was asked and answered
	ReasonForgeUnasked       = "ForgeUnasked"       // ForgeAsked: the message says why it could not be asked
	ReasonHistoryRewritten   = "HistoryRewritten"   // Rewound: a seen head is gone from its ref
	ReasonInWindow           = "InWindow"           // Active: approved and in its window
	ReasonNotYet             = "NotYet"             // Active: its window has not begun
	ReasonNeedsApproval      = "NeedsApproval"      // Active: approvals are missing
	ReasonTooMany            = "TooMany"            // Active: its requester has others that come first
	ReasonBadStatement       = "BadStatement"       // Active: a signed statement does not verify or speaks of something else
	ReasonWindowOver         = "WindowOver"         // Active, Expired: its window is over
	ReasonDebt               = "Debt"               // Settled: objects still differ from Git
	ReasonOverdue            = "Overdue"            // Settled: they still do, though the tier's reviewWithin is over
	ReasonNoDebt             = "NoDebt"             // Settled: nothing differs from Git
	ReasonSealed             = "Sealed"             // Unsealed: the cluster binding guards the install
	ReasonNoClusterBinding   = "NoClusterBinding"   // Unsealed: there is no cluster binding yet
	ReasonCovered            = "Covered"            // CoverageGap: a gate is asked about everything
	ReasonUnguarded          = "Unguarded"          // CoverageGap: the message names what is not
	ReasonStartsAlone        = "StartsAlone"        // WebhookLoop: no webhook of others keeps Fairway from starting
	ReasonWaitsInCircle      = "WaitsInCircle"      // WebhookLoop: the message names those that do
	ReasonClusterBindingGone = "ClusterBindingGone" // Unsealed: the latch is set and the binding cannot be read: all is denied
)
