package internal

import (
	"slices"
	"strings"
	"testing"
)

// dials are the names by which Go code of ours would open a connection or ask a name server. What the gate
// has beside them is client-go's client to the API server, and the exporter of traces of internal/telemetry,
// which is off unless an install asks for it and which no verdict waits for.
var dials = map[string][]string{
	"net": {
		"Dial", "DialTimeout", "DialIP", "DialTCP", "DialUDP", "DialUnix", "Dialer", "Resolver", "DefaultResolver",
		"LookupAddr", "LookupCNAME", "LookupHost", "LookupIP", "LookupMX", "LookupNS", "LookupSRV", "LookupTXT",
		"ResolveIPAddr", "ResolveTCPAddr", "ResolveUDPAddr",
	},
	"net/http": {
		"DefaultClient", "DefaultTransport", "Transport", "Get", "Head", "Post", "PostForm", "NewRequest", "NewRequestWithContext",
	},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer", "Client"},
	signing:      {"LoadSigner"},
}

// signing is the one room within the gate's reach that dials: who signs on their own machine may have an
// SSH agent do it. The gate verifies only; LoadSigner, which alone leads to the agent, counts as a dial.
const signing = "internal/signature"

// clients are modules that reach others than the API server, and who of ours may import them.
var clients = map[string]string{
	"go.opentelemetry.io/otel/exporters": "internal/telemetry",
	"google.golang.org/grpc":             "",
	"github.com/coreos/go-oidc":          "",
	"golang.org/x/oauth2":                "",
	"golang.org/x/net":                   "",
	"golang.org/x/crypto/ssh/agent":      signing,
}

// TestTheGateDialsNobody: nothing that `fairway gate` reaches in this module opens a connection but through
// the clients named above: a gate that asked somebody else could be told what to believe, or kept waiting.
func TestTheGateDialsNobody(t *testing.T) {
	all := load(t)
	names := namesFrom(t, roofTexts(t, all), gateRole)
	for _, name := range names {
		if isDial(name) {
			t.Errorf("%s reaches %s", gateRole, name)
		}
	}
	if !slices.ContainsFunc(namesFrom(t, roofTexts(t, all), "serveProver"), isDial) {
		t.Fatal("the search does not even find the prover's question to the gates")
	}
	looked := map[string]bool{}
	for _, path := range usedFrom(t, roofTexts(t, all), gateRole) {
		if all[path] == nil {
			continue
		}
		for room, way := range reach(all, path) {
			if looked[room] {
				continue
			}
			looked[room] = true
			for _, found := range dialled(all[room]) {
				t.Errorf("%s → %s: %s", gateRole, way, found)
			}
		}
	}
	if !looked["internal/gate"] || !looked["internal/telemetry"] || len(looked) < 10 {
		t.Fatalf("the search saw %d rooms: too few to mean anything", len(looked))
	}
	if len(dialled(all["internal/forge"])) == 0 {
		t.Error("the search does not even find the client of forges")
	}
}

// isDial reports whether a name of another package opens connections.
func isDial(name string) bool {
	at := strings.LastIndex(name, ".")
	return slices.Contains(dials[name[:at]], name[at+1:])
}

// dialled is what in a package of ours opens connections.
func dialled(p *pkg) []string {
	var found []string
	for path, names := range dials {
		if p.path == signing {
			break
		}
		if isOurs(path) {
			path = module + "/" + path
		}
		found = append(found, p.uses(path, names)...)
	}
	for _, imported := range p.imports() {
		for client, who := range clients {
			if (imported == client || strings.HasPrefix(imported, client+"/")) && p.path != who {
				found = append(found, "imports "+imported)
			}
		}
	}
	slices.Sort(found)
	return found
}
