package e2e

import "strings"

// operation is one shape of request. NS is the namespace.
type operation struct {
	name, verb, path, body string
	by                     string // who asks: kubelet, that of its node; engine, one that is listed; empty: an administrator
}

// The places of the requests.
const (
	coreV1   = "/api/v1/namespaces/NS"
	appsV1   = "/apis/apps/v1/namespaces/NS"
	leasesV1 = "/apis/coordination.k8s.io/v1/namespaces/NS/leases"
	rolesV1  = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
	fluxV1   = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/NS/kustomizations"
	ownV1    = "/apis/fairway.dev/v1alpha1/namespaces/NS"
	toysV1   = "/apis/t03.example/v1/namespaces/NS/gadgets"
)

// inNamespaces are tried in a namespace of each tier, outOfNamespaces once.
var inNamespaces = []operation{
	{name: "create", verb: "POST", path: coreV1 + "/configmaps", body: `{"metadata":{"name":"new"}}`},
	{name: "create by a generated name", verb: "POST", path: coreV1 + "/configmaps", body: `{"metadata":{"generateName":"new-"}}`},
	{name: "create, by a listed engine", verb: "POST", path: coreV1 + "/configmaps", body: `{"metadata":{"name":"new"}}`, by: "engine"},
	{name: "patch deployments/scale, by a listed engine", verb: "PATCH", path: appsV1 + "/deployments/x/scale", body: `{"spec":{"replicas":6}}`, by: "engine"},
	{name: "connect pods/exec, by a listed engine", verb: "POST", path: coreV1 + "/pods/x/exec?command=sh", by: "engine"},
	{name: "create a lease, by a listed engine", verb: "POST", path: leasesV1, body: `{"metadata":{"name":"new"}}`, by: "engine"},
	{name: "update", verb: "PUT", path: coreV1 + "/configmaps/x", body: `{"metadata":{"name":"x"},"data":{"a":"b"}}`},
	{name: "patch", verb: "PATCH", path: coreV1 + "/configmaps/x", body: `{"data":{"a":"b"}}`},
	{name: "apply what is new", verb: "APPLY", path: coreV1 + "/configmaps/new", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new"},"data":{"a":"b"}}`},
	{name: "apply what is there", verb: "APPLY", path: coreV1 + "/configmaps/x", body: `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}`},
	{name: "delete", verb: "DELETE", path: coreV1 + "/configmaps/x"},
	{name: "delete a collection", verb: "DELETE", path: coreV1 + "/configmaps"},
	{name: "patch deployments/status", verb: "PATCH", path: appsV1 + "/deployments/x/status", body: `{"status":{"replicas":3}}`},
	{name: "apply deployments/status", verb: "APPLY", path: appsV1 + "/deployments/x/status", body: `{"apiVersion":"apps/v1","kind":"Deployment","status":{"replicas":4}}`},
	{name: "patch deployments/scale", verb: "PATCH", path: appsV1 + "/deployments/x/scale", body: `{"spec":{"replicas":5}}`},
	{name: "patch pods/ephemeralcontainers", verb: "STRATEGIC", path: coreV1 + "/pods/x/ephemeralcontainers", body: `{"spec":{"ephemeralContainers":[{"name":"d","image":"i","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]}}`},
	{name: "create pods/binding", verb: "POST", path: coreV1 + "/pods/x/binding", body: `{"metadata":{"name":"x"},"target":{"kind":"Node","name":"n"}}`},
	{name: "create pods/eviction", verb: "POST", path: coreV1 + "/pods/x/eviction", body: `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"x"}}`},
	{name: "create serviceaccounts/token", verb: "POST", path: coreV1 + "/serviceaccounts/default/token", body: `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`},
	{name: "connect pods/exec by POST", verb: "POST", path: coreV1 + "/pods/x/exec?command=sh"},
	{name: "connect pods/exec by GET", verb: "GET", path: coreV1 + "/pods/x/exec?command=sh"},
	{name: "connect pods/portforward", verb: "POST", path: coreV1 + "/pods/x/portforward"},
	{name: "connect services/proxy by DELETE", verb: "DELETE", path: coreV1 + "/services/x/proxy"},
	{name: "read pods/log", verb: "GET", path: coreV1 + "/pods/x/log"},
	{name: "create a custom kind", verb: "POST", path: toysV1, body: `{"apiVersion":"t03.example/v1","kind":"Gadget","metadata":{"name":"new"}}`},
	{name: "patch a custom kind's status", verb: "PATCH", path: toysV1 + "/x/status", body: `{"status":{"a":"b"}}`},
	{name: "patch a custom kind's scale", verb: "PATCH", path: toysV1 + "/x/scale", body: `{"spec":{"replicas":5}}`},
	{name: "create an engine's object", verb: "POST", path: fluxV1, body: `{"apiVersion":"kustomize.toolkit.fluxcd.io/v1","kind":"Kustomization","metadata":{"name":"new"}}`},
	{name: "patch an engine's object's status", verb: "PATCH", path: fluxV1 + "/x/status", body: `{"status":{"a":"b"}}`},
	{name: "create Fairway's own kind", verb: "POST", path: ownV1 + "/deliveries", body: `{"apiVersion":"fairway.dev/v1alpha1","kind":"Delivery","metadata":{"name":"new"},"spec":{"repository":"a","branch":"b","path":"c"}}`},
	{name: "patch Fairway's own kind's status", verb: "PATCH", path: ownV1 + "/deliveries/x/status", body: `{"status":{"asked":7}}`},
	{name: "create a lease", verb: "POST", path: leasesV1, body: `{"metadata":{"name":"new"}}`},
	{name: "delete leases", verb: "DELETE", path: leasesV1},
	{name: "create an event", verb: "POST", path: coreV1 + "/events", body: `{"metadata":{"name":"new"},"involvedObject":{"namespace":"NS"}}`},
	{name: "ask about rights", verb: "POST", path: "/apis/authorization.k8s.io/v1/namespaces/NS/localsubjectaccessreviews", body: `{"metadata":{"namespace":"NS"},"spec":{"user":"ada","resourceAttributes":{"namespace":"NS","verb":"get","resource":"pods"}}}`},
	{name: "patch the Namespace", verb: "PATCH", path: coreV1, body: `{"metadata":{"labels":{"a":"b"}}}`},
	{name: "apply the Namespace", verb: "APPLY", path: coreV1, body: `{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{"a":"b"}}}`},
	{name: "patch namespaces/status", verb: "PATCH", path: coreV1 + "/status", body: `{"metadata":{"labels":{"a":"b"}}}`},
	{name: "update namespaces/finalize", verb: "PUT", path: coreV1 + "/finalize", body: `{"metadata":{"name":"NS"},"spec":{}}`},
	{name: "delete the Namespace", verb: "DELETE", path: coreV1},
}

var outOfNamespaces = []operation{
	{name: "create a Namespace", verb: "POST", path: "/api/v1/namespaces", body: `{"metadata":{"name":"another"}}`},
	{name: "create", verb: "POST", path: rolesV1, body: `{"metadata":{"name":"new"},"rules":[]}`},
	{name: "update", verb: "PUT", path: rolesV1 + "/x", body: `{"metadata":{"name":"x","labels":{"a":"b"}},"rules":[]}`},
	{name: "patch", verb: "PATCH", path: rolesV1 + "/x", body: `{"metadata":{"labels":{"a":"b"}}}`},
	{name: "apply what is new", verb: "APPLY", path: rolesV1 + "/new", body: `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"new"},"rules":[]}`},
	{name: "delete", verb: "DELETE", path: rolesV1 + "/x"},
	{name: "delete a collection", verb: "DELETE", path: rolesV1},
	{name: "create a custom kind", verb: "POST", path: "/apis/t03.example/v1/worlds", body: `{"apiVersion":"t03.example/v1","kind":"World","metadata":{"name":"new"}}`},
	{name: "patch a custom kind's status", verb: "PATCH", path: "/apis/t03.example/v1/worlds/x/status", body: `{"status":{"a":"b"}}`},
	{name: "create Fairway's own kind", verb: "POST", path: "/apis/fairway.dev/v1alpha1/teams", body: `{"apiVersion":"fairway.dev/v1alpha1","kind":"Team","metadata":{"name":"new"},"spec":{"principals":[]}}`},
	{name: "connect nodes/proxy", verb: "POST", path: "/api/v1/nodes/x/proxy"},
	{name: "create a node", verb: "POST", path: "/api/v1/nodes", body: `{"metadata":{"name":"new"}}`},
	{name: "create a node, by its kubelet", verb: "POST", path: "/api/v1/nodes", body: `{"metadata":{"name":"k"}}`, by: "kubelet"},
	{name: "patch nodes/status", verb: "PATCH", path: "/api/v1/nodes/x/status", body: `{"status":{"phase":"Running"}}`},
	{name: "patch nodes/status, by its kubelet", verb: "PATCH", path: "/api/v1/nodes/x/status", body: `{"status":{"phase":"Running"}}`, by: "kubelet"},
	{name: "delete a node, by its kubelet", verb: "DELETE", path: "/api/v1/nodes/x", by: "kubelet"},
	{name: "ask about a token", verb: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews", body: `{"spec":{"token":"x"}}`},
	{name: "create a webhook configuration", verb: "POST", path: mutators, body: strings.ReplaceAll(hookBody, "NAME", "new")},
}
