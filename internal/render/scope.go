package render

// Scope says whether the objects of a kind live in a namespace. Render asks it about kinds that
// are neither built in nor defined by the same render.
type Scope interface {
	Namespaced(group, version, kind string) (namespaced, known bool)
}

// builtin is the scope of the kinds that Kubernetes itself serves. It does not change with their
// version. A test compares it with the sources of Kubernetes' API.
func builtin(group, kind string) (namespaced, known bool) {
	switch group + "/" + kind {
	case "/ComponentStatus", "/Namespace", "/Node", "/PersistentVolume",
		"admissionregistration.k8s.io/MutatingAdmissionPolicy",
		"admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
		"admissionregistration.k8s.io/MutatingWebhookConfiguration",
		"admissionregistration.k8s.io/ValidatingAdmissionPolicy",
		"admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
		"admissionregistration.k8s.io/ValidatingWebhookConfiguration",
		"apiextensions.k8s.io/CustomResourceDefinition",
		"apiregistration.k8s.io/APIService",
		"certificates.k8s.io/CertificateSigningRequest", "certificates.k8s.io/ClusterTrustBundle",
		"flowcontrol.apiserver.k8s.io/FlowSchema",
		"flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
		"internal.apiserver.k8s.io/StorageVersion",
		"networking.k8s.io/IPAddress", "networking.k8s.io/IngressClass", "networking.k8s.io/ServiceCIDR",
		"node.k8s.io/RuntimeClass",
		"policy/PodSecurityPolicy",
		"rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/ClusterRoleBinding",
		"resource.k8s.io/DeviceClass", "resource.k8s.io/DeviceTaintRule",
		"resource.k8s.io/ResourcePoolStatusRequest", "resource.k8s.io/ResourceSlice",
		"scheduling.k8s.io/PriorityClass",
		"storage.k8s.io/CSIDriver", "storage.k8s.io/CSINode", "storage.k8s.io/StorageClass",
		"storage.k8s.io/VolumeAttachment", "storage.k8s.io/VolumeAttributesClass",
		"storagemigration.k8s.io/StorageVersionMigration":
		return false, true
	case "/ConfigMap", "/Endpoints", "/Event", "/LimitRange", "/PersistentVolumeClaim", "/Pod", "/PodTemplate",
		"/ReplicationController", "/ResourceQuota", "/Secret", "/Service", "/ServiceAccount",
		"apps/ControllerRevision", "apps/DaemonSet", "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet",
		"autoscaling/HorizontalPodAutoscaler",
		"batch/CronJob", "batch/Job",
		"certificates.k8s.io/PodCertificateRequest",
		"coordination.k8s.io/Lease", "coordination.k8s.io/LeaseCandidate",
		"discovery.k8s.io/EndpointSlice",
		"events.k8s.io/Event",
		"extensions/DaemonSet", "extensions/Deployment", "extensions/Ingress", "extensions/NetworkPolicy", "extensions/ReplicaSet",
		"lifecycle.k8s.io/EvictionRequest",
		"networking.k8s.io/Ingress", "networking.k8s.io/NetworkPolicy",
		"policy/PodDisruptionBudget",
		"rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/RoleBinding",
		"resource.k8s.io/ResourceClaim", "resource.k8s.io/ResourceClaimTemplate",
		"scheduling.k8s.io/CompositePodGroup", "scheduling.k8s.io/PodGroup", "scheduling.k8s.io/Workload",
		"storage.k8s.io/CSIStorageCapacity":
		return true, true
	}
	return false, false
}
