package tier

// World is everything that decides in which tier a request is judged, at one moment. A World is
// immutable: a change of any of its parts makes a new one, so that one request is judged by one
// state of things.
type World struct {
	Tiers        map[string]Tier
	Bindings     map[string]Binding // by namespace
	Namespaces   map[string]Namespace
	Repositories map[string]Repository
	People       People
	Install      Install
	// Cluster is the binding of the cluster scope; nil while the install is not sealed, or where it
	// cannot be read although it is.
	Cluster *Binding
	// Schema is the digest of the schemas that objects are rendered with.
	Schema string
	// Problems are what could not be compiled, for people, sorted. What is named here denies.
	Problems []string
}

// Tier is the tier of a namespace that exists, and its binding where it has one. The tier of a
// namespace that is not known is Strictest: a look-up that missed never opens anything.
func (w *World) Tier(namespace string) (Tier, *Binding) {
	ns, known := w.Namespaces[namespace]
	if !known {
		return Strictest("(unknown namespace " + namespace + ")"), nil
	}
	return w.Entering(ns)
}

// Entering is the tier that a namespace with these labels is in or would enter, and its binding.
func (w *World) Entering(ns Namespace) (Tier, *Binding) {
	var binding *Binding
	if b, ok := w.Bindings[ns.Name]; ok {
		binding = &b
	}
	t := Of(ns, binding, w.Tiers, w.Install.DefaultTier)
	if unsealed := !w.Install.Sealed && w.Cluster == nil; unsealed && binding == nil && t.Name == Strictest("").Name {
		return Untiered(), nil
	}
	return t, binding
}

// Untiered is the open tier of a namespace that nobody put in a tier, in an install that is not
// sealed and names no default. Judging it by the strictest tier would stop every system namespace
// the moment Fairway is installed, before anybody could say what the default is.
func Untiered() Tier {
	return Tier{Name: "(untiered)", Digest: "untiered", Lane: Open, Enforcement: Enforce, Connect: PolicyAllow, Scale: PolicyAllow}
}

// ClusterTier is the tier of cluster-scoped objects: that of the cluster binding. Without one it
// is Strictest; whether an install without one is sealed is for the judge to ask.
func (w *World) ClusterTier() (Tier, *Binding) {
	if w.Cluster == nil {
		return Strictest("(cluster)"), nil
	}
	return named(w.Tiers, w.Cluster.Tier), w.Cluster
}

// PolicyDigest is the digest of all that judges a binding's source in a tier.
func (w *World) PolicyDigest(t Tier, b Binding, s Source) string {
	return PolicyDigest(t, b, w.People, w.Repositories[s.Repository], w.Schema)
}
