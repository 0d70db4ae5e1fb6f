package policy

import (
	"strings"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// controllerAccounts is how the service accounts of kube-controller-manager are called; it must
// run with --use-service-account-credentials, as kubeadm and the hosted offers have it.
const controllerAccounts = "system:serviceaccount:kube-system:"

// ofTheSystem is the cheap question before the table: every user in it has such a name.
func ofTheSystem(user string) bool {
	return strings.HasPrefix(user, controllerAccounts) || strings.HasPrefix(user, "system:node:") ||
		strings.HasPrefix(user, "system:kube-") || user == "system:apiserver"
}

// isNode reports whether the user is a kubelet.
func isNode(u change.User) bool {
	for _, g := range u.Groups {
		if g == "system:nodes" {
			return strings.HasPrefix(u.Name, "system:node:")
		}
	}
	return false
}

// may is a row for a controller of kube-controller-manager: kind is "group/Kind", operations are
// the first letters of create, update and delete.
func may(account, operations, kind string) remit {
	return user(controllerAccounts+account, operations, kind).named(account)
}

// user is a row for any other user.
func user(name, operations, kind string) remit {
	group, k, _ := strings.Cut(kind, "/")
	r := remit{Controller: tier.Controller{Name: name, Users: []string{name}, Groups: []string{group}, Kinds: []string{k}}, of: everyTier, builtin: true}
	for _, op := range operations {
		switch op {
		case 'c':
			r.Operations = append(r.Operations, string(change.Create))
		case 'u':
			r.Operations = append(r.Operations, string(change.Update))
		case 'd':
			r.Operations = append(r.Operations, string(change.Delete))
		}
	}
	return r
}

// kubelet is a row for any node.
func kubelet(operations, kind string) remit {
	r := user("kubelet", operations, kind)
	r.nodes = true
	return r
}

func (r remit) named(name string) remit        { r.Name = name; return r }
func (r remit) owned(kinds ...string) remit    { r.OwnerKinds = kinds; return r }
func (r remit) sets(fields ...string) remit    { r.Fields = fields; return r }
func (r remit) on(subresource string) remit    { r.subresource = subresource; return r }
func (r remit) only(names ...string) remit     { r.names = names; return r }
func (r remit) where(c condition) remit        { r.when = c; return r }
func (r remit) reported() remit                { r.reports = true; return r }
func (r remit) letsGo() remit                  { r.takesOff = true; return r }
func (r remit) since(why string) remit         { r.Why = why; return r }
func (r remit) annotates(keys ...string) remit { return r.marks("metadata.annotations", keys) }
func (r remit) labels(keys ...string) remit    { return r.marks("metadata.labels", keys) }
func (r remit) marks(m string, k []string) remit {
	r.Fields = append(r.Fields, members(m, k)...)
	return r
}

// revisionLabel names the revision of its owner that a Pod is made from.
const revisionLabel = "controller-revision-hash"

func members(of string, keys []string) []string {
	var paths []string
	for _, k := range keys {
		paths = append(paths, of+`["`+k+`"]`)
	}
	return paths
}

// builtins is the table, made once and read only.
var builtins = sync.OnceValue(builtinTable)

// builtinTable holds the runtime lanes of Kubernetes itself (ruling 16): what its own controllers do to
// children of what was admitted, and to the bookkeeping of the cluster. A controller that only
// writes status (resource quotas, disruption budgets, autoscalers' own status) needs no row: see
// the table of sub-resources.
func builtinTable() []remit {
	var all []remit
	for _, part := range [][]remit{workloads(), networks(), storage(), housekeeping(), nodes()} {
		all = append(all, part...)
	}
	return all
}

func workloads() []remit {
	return []remit{
		may("deployment-controller", "cd", "apps/ReplicaSet").owned("apps/Deployment").since("a Deployment makes and prunes its ReplicaSets"),
		may("deployment-controller", "u", "apps/ReplicaSet").owned("apps/Deployment").sets("spec.replicas", "spec.minReadySeconds", "metadata.annotations").
			since("a Deployment scales its ReplicaSets, and notes what they are for"),
		may("deployment-controller", "u", "apps/Deployment").on("status").sets("status").annotates("deployment.kubernetes.io/*").since("it notes the revision with the status"),
		may("replicaset-controller", "cd", "/Pod").owned("apps/ReplicaSet").since("a ReplicaSet makes and removes its Pods"),
		may("replication-controller", "cd", "/Pod").owned("/ReplicationController").since("a ReplicationController makes and removes its Pods"),
		may("statefulset-controller", "cd", "/Pod").owned("apps/StatefulSet").since("a StatefulSet makes and removes its Pods"),
		may("statefulset-controller", "u", "/Pod").owned("apps/StatefulSet").labels(revisionLabel, "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index").
			since("a StatefulSet names its Pods in their labels"),
		may("statefulset-controller", "c", "/PersistentVolumeClaim").owned("apps/StatefulSet").since("a StatefulSet makes the claims of its templates"),
		may("statefulset-controller", "u", "/PersistentVolumeClaim").sets("metadata.ownerReferences").where(ownersLive).since("it follows the retention policy of its claims"),
		may("statefulset-controller", "cd", "apps/ControllerRevision").owned("apps/StatefulSet").since("it keeps the revisions of its StatefulSet"),
		may("statefulset-controller", "u", "apps/ControllerRevision").owned("apps/StatefulSet").sets("revision").since("a revision that the StatefulSet goes back to is the newest"),
		may("daemon-set-controller", "cd", "/Pod").owned("apps/DaemonSet").since("a DaemonSet makes and removes its Pods"),
		may("daemon-set-controller", "u", "/Pod").owned("apps/DaemonSet").labels(revisionLabel).since("a DaemonSet notes in its Pods which revision they are of"),
		may("daemon-set-controller", "cd", "apps/ControllerRevision").owned("apps/DaemonSet").since("it keeps the revisions of its DaemonSet"),
		may("daemon-set-controller", "u", "apps/ControllerRevision").owned("apps/DaemonSet").sets("revision").labels(revisionLabel).
			since("a revision that the DaemonSet goes back to is the newest"),
		may("job-controller", "cd", "/Pod").owned("batch/Job").since("a Job makes and removes its Pods"),
		may("job-controller", "u", "/Pod").sets("metadata.finalizers").since("it takes its tracking finalizer off Pods that it has counted"),
		may("cronjob-controller", "cd", "batch/Job").owned("batch/CronJob").since("a CronJob makes and prunes its Jobs"),
		may("ttl-after-finished-controller", "d", "batch/Job").since("a finished Job that is not in Git goes after its time"),
		may("horizontal-pod-autoscaler", "u", "autoscaling/Scale").on("scale").sets("spec.replicas").since("an autoscaler scales where the tier lets controllers scale"),
		may("resource-claim-controller", "cud", "resource.k8s.io/ResourceClaim").owned("/Pod").since("a Pod's claims are made from the template it names"),
		user("system:kube-scheduler", "c", "/Binding").on("binding").since("the scheduler places Pods"),
		user("system:kube-scheduler", "u", "/PersistentVolumeClaim").annotates("volume.kubernetes.io/selected-node").since("it picks the node of a claim that waits for its first consumer"),
	}
}

func networks() []remit {
	return []remit{
		may("endpointslice-controller", "cud", "discovery.k8s.io/EndpointSlice").owned("/Service").since("a Service's slices follow its Pods"),
		may("endpointslicemirroring-controller", "cud", "discovery.k8s.io/EndpointSlice").owned("/Endpoints").since("slices mirror hand-made Endpoints"),
		may("service-controller", "u", "/Service").on("status").sets("status", `metadata.finalizers[="service.kubernetes.io/load-balancer-cleanup"]`).
			since("the cloud's load balancer goes before its Service"),
		may("endpoint-controller", "cud", "/Endpoints").owned("/Service").since("a Service's Endpoints follow its Pods"),
		may("endpoint-controller", "d", "/Endpoints").owned("/Service").where(ownerGone).since("a Service that is gone leaves no Endpoints behind"),
	}
}

func storage() []remit {
	return []remit{
		may("persistent-volume-binder", "u", "/PersistentVolumeClaim").sets("spec.volumeName", "metadata.finalizers").
			annotates("pv.kubernetes.io/*", "volume.kubernetes.io/*", "volume.beta.kubernetes.io/*").since("it binds a claim to its volume"),
		may("persistent-volume-binder", "u", "/PersistentVolume").sets("spec.claimRef", "metadata.finalizers").
			annotates("pv.kubernetes.io/*").since("it binds a volume to its claim"),
		may("persistent-volume-binder", "d", "/PersistentVolume").since("it reclaims a released volume that is not in Git"),
		may("pvc-protection-controller", "u", "/PersistentVolumeClaim").sets("metadata.finalizers").since("it lets go of a claim that no Pod uses"),
		may("pv-protection-controller", "u", "/PersistentVolume").sets("metadata.finalizers").since("it lets go of a volume that no claim uses"),
		may("expand-controller", "u", "/PersistentVolume").sets("spec.capacity", "metadata.annotations").since("it grows a volume to what its claim asks for"),
		may("ephemeral-volume-controller", "c", "/PersistentVolumeClaim").owned("/Pod").since("a Pod's ephemeral claims are made from its own template"),
		may("attachdetach-controller", "cud", "storage.k8s.io/VolumeAttachment").since("it attaches volumes to nodes"),
	}
}

func housekeeping() []remit {
	return []remit{
		may("generic-garbage-collector", "d", "*/*").where(ownersGone).since("the owners of an object are gone or going"),
		may("generic-garbage-collector", "u", "*/*").sets("metadata.ownerReferences", "metadata.finalizers").letsGo().since("it takes off references to owners that are gone"),
		may("namespace-controller", "d", "*/*").where(nsEnds).since("the namespace is being deleted, which was judged"),
		may("namespace-controller", "u", "/Namespace").on("finalize").sets("spec.finalizers", "metadata.finalizers").where(nsEnds).since("the namespace is being deleted, which was judged"),
		may("pod-garbage-collector", "d", "/Pod").since("it removes Pods that ended, or whose node is gone, and that are not in Git"),
		may("service-account-controller", "c", "/ServiceAccount").only("default").since("every namespace has a default ServiceAccount"),
		may("root-ca-cert-publisher", "cu", "/ConfigMap").only("kube-root-ca.crt").since("every namespace has the cluster's root certificate"),
		may("clusterrole-aggregation-controller", "u", "rbac.authorization.k8s.io/ClusterRole").sets("rules").since("an aggregated role holds the rules of those it selects"),
		may("certificate-controller", "u", "certificates.k8s.io/CertificateSigningRequest").on("approval").sets("status").since("it approves what kubelets ask for"),
		may("certificate-controller", "d", "certificates.k8s.io/CertificateSigningRequest").since("it removes old requests"),
		user("system:kube-controller-manager", "u", "/Secret").sets("data.token", `data["ca.crt"]`, "data.namespace").
			annotates("kubernetes.io/service-account.uid").since("it fills Secrets that ask for a ServiceAccount's token"),
		user("system:apiserver", "cud", "networking.k8s.io/IPAddress").since("a Service's address is kept as an object"),
		user("system:apiserver", "cu", "/Endpoints").only("kubernetes").since("the API server publishes its own addresses"),
		user("system:apiserver", "cu", "discovery.k8s.io/EndpointSlice").only("kubernetes").since("the API server publishes its own addresses"),
		user("system:apiserver", "c", "/Namespace").only("default", "kube-system", "kube-public", "kube-node-lease").since("a cluster has these namespaces"),
		user("system:apiserver", "cud", "apiregistration.k8s.io/APIService").since("the API server registers the groups of installed CRDs"),
		user("system:apiserver", "cud", "flowcontrol.apiserver.k8s.io/*").since("the API server keeps its own priority levels"),
		user("system:apiserver", "cu", "rbac.authorization.k8s.io/*").since("the API server keeps its own roles, at each start"),
		user("system:apiserver", "c", "scheduling.k8s.io/PriorityClass").only("system-cluster-critical", "system-node-critical").since("a cluster has these classes"),
		user("system:apiserver", "cu", "networking.k8s.io/ServiceCIDR").only("kubernetes").since("the API server publishes its range of addresses"),
		user("system:apiserver", "cu", "/ConfigMap").only("extension-apiserver-authentication", "kube-apiserver-legacy-service-account-token-tracking").since("the API server publishes how to trust it"),
	}
}

func nodes() []remit {
	return []remit{
		kubelet("c", "/Pod").owned("/Node").reported().since("a node mirrors the Pods of its own files, which no webhook can refuse"),
		kubelet("d", "/Pod").owned("/Node").since("a node removes its mirror Pods"),
		kubelet("d", "/Pod").where(deleting).since("the Pod is being deleted, which was judged"),
		kubelet("c", "authentication.k8s.io/TokenRequest").on("token").since("Pods run with the token of their ServiceAccount"),
		kubelet("cu", "/Node").sets("metadata", "spec", "status").since("a node registers itself"),
		kubelet("u", "/Node").on("status").sets("metadata.labels", "metadata.annotations", "status").since("a node reports itself"),
		kubelet("cud", "storage.k8s.io/CSINode").since("a node reports its storage drivers"),
		kubelet("cud", "resource.k8s.io/ResourceSlice").since("a node reports its devices"),
		kubelet("c", "certificates.k8s.io/CertificateSigningRequest").since("a node asks for its next certificate"),
		may("node-controller", "u", "/Node").sets("spec", "metadata.labels", "metadata.annotations").since("it taints nodes and gives them addresses"),
		may("node-controller", "d", "/Node").since("it removes nodes that are gone"),
		may("node-controller", "d", "/Pod").where(deleting).since("the Pod is being deleted, which was judged"),
		may("ttl-controller", "u", "/Node").annotates("node.alpha.kubernetes.io/ttl").since("it tells nodes how long to keep Secrets"),
	}
}
