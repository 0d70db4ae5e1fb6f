package render

import (
	"errors"
	"maps"
	"slices"
	"text/template"
	"time"

	"github.com/BurntSushi/toml"
	"helm.sh/helm/v4/pkg/chart/common"

	"github.com/fairway-dev/fairway/internal/tier"
)

// probe notices the first thing that a chart asks for and that no commit answers.
type probe struct {
	reverse bool
	asked   string // in a template's words
	why     string
	remedy  string
}

var errUnbindable = errors.New("this depends on more than the commit")

func (p *probe) notice(asked, why, remedy string) error {
	if p.asked == "" {
		p.asked, p.why, p.remedy = asked, why, remedy
	}
	return errUnbindable
}

// refusal is what was noticed, for people.
func (p *probe) refusal() string { return "asks `" + p.asked + "`, which " + p.why + "; " + p.remedy }

// What makes a function one that no approval can be of.
const (
	byChance  = "gives something else each time"
	byClock   = "depends on the clock or the time zone of whoever renders"
	byCluster = "reads the cluster"
	byNetwork = "asks the network"
	byProcess = "reads the environment of whoever renders"
)

// outside are the functions of Helm's templates that answer from outside of the chart. Some do for
// some arguments only (a date is that of today where its argument is none): they are named all the same.
func outside() map[string]string {
	named := map[string]string{}
	for why, names := range map[string][]string{
		byChance: {
			"randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4",
			"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
			"genSignedCert", "genSignedCertWithKey", "bcrypt", "htpasswd", "encryptAES",
		},
		byClock: {
			"now", "ago", "date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone", "toDate", "mustToDate",
		},
		byCluster: {"lookup"},
		byNetwork: {"getHostByName"},
		byProcess: {"env", "expandenv"},
	} {
		for _, name := range names {
			named[name] = why
		}
	}
	return named
}

// functions stand in the place of Helm's own.
func (p *probe) functions() template.FuncMap {
	stand := template.FuncMap{"keys": p.keys, "values": p.values, "fromToml": p.fromTOML}
	for name, why := range outside() {
		stand[name] = func(...any) (any, error) {
			return nil, p.notice(name, why, "give the chart a value instead, or commit what helm renders")
		}
	}
	return stand
}

// fromTOML is Helm's function for what holds no times. Of the languages that templates read, TOML alone has them, and
// with a time a template can ask for the clock and the time zone by functions and members that say nothing of it.
func (p *probe) fromTOML(text string) (map[string]any, error) {
	read := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &read); err != nil {
		read["Error"] = err.Error() // as Helm has it
	}
	if holdsTime(read) {
		return nil, p.notice("fromToml", "gives a time, and that can be held against the clock or the time zone of whoever renders", "write times as texts, in quotes")
	}
	return read, nil
}

func holdsTime(value any) bool {
	switch v := value.(type) {
	case time.Time:
		return true
	case map[string]any:
		for _, member := range v {
			if holdsTime(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, holdsTime)
	case []map[string]any:
		return slices.ContainsFunc(v, func(m map[string]any) bool { return holdsTime(m) })
	}
	return false
}

// sorted are the keys of a map, in the order of this pass: Helm walks it in any.
func (p *probe) sorted(m map[string]any) []string {
	names := slices.Sorted(maps.Keys(m))
	if p.reverse {
		slices.Reverse(names)
	}
	return names
}

func (p *probe) keys(all ...map[string]any) []string {
	names := []string{}
	for _, m := range all {
		names = append(names, p.sorted(m)...)
	}
	return names
}

func (p *probe) values(m map[string]any) []any {
	values := []any{}
	for _, name := range p.sorted(m) {
		values = append(values, m[name])
	}
	return values
}

// clusterFacts is what a template finds under .Capabilities.
type clusterFacts struct{ KubeVersion, APIVersions, HelmVersion any }

// capabilities are what the source says of the cluster. What it leaves out may not be asked for.
func (p *probe) capabilities(said tier.Helm) (clusterFacts, error) {
	facts := clusterFacts{
		KubeVersion: p.unsaid(".Capabilities.KubeVersion", "set helm.kubeVersion in the source"),
		APIVersions: p.unsaid(".Capabilities.APIVersions", "set helm.apiVersions in the source"),
		HelmVersion: p.unsaid(".Capabilities.HelmVersion", "no template that can be bound may use it"),
	}
	if said.KubeVersion != "" {
		version, err := common.ParseKubeVersion(said.KubeVersion)
		if err != nil {
			return facts, refuse(Unsupported, "", "helm.kubeVersion of the source is no version of Kubernetes")
		}
		facts.KubeVersion = version
	}
	if len(said.APIVersions) > 0 {
		facts.APIVersions = common.VersionSet(said.APIVersions)
	}
	return facts, nil
}

func (p *probe) unsaid(asked, remedy string) *unsaid { return &unsaid{p, asked, remedy} }

// unsaid has the members of everything that stands under .Capabilities, and notices each use.
type unsaid struct {
	probe         *probe
	asked, remedy string
}

func (u *unsaid) notice() error {
	return u.probe.notice(u.asked, "depends on where it is installed", u.remedy)
}

// String is for a template that prints the whole; it cannot fail, and is noticed.
func (u *unsaid) String() string { return u.notice().Error() }

// Version is a member of versions of Kubernetes and of Helm.
func (u *unsaid) Version() (string, error) { return "", u.notice() }

// GitVersion is an older name for it.
func (u *unsaid) GitVersion() (string, error) { return "", u.notice() }

// Major is a member of versions of Kubernetes.
func (u *unsaid) Major() (string, error) { return "", u.notice() }

// Minor is a member of versions of Kubernetes.
func (u *unsaid) Minor() (string, error) { return "", u.notice() }

// Has is the member of the set of API versions.
func (u *unsaid) Has(string) (bool, error) { return false, u.notice() }

// GitCommit is a member of versions of Helm.
func (u *unsaid) GitCommit() (string, error) { return "", u.notice() }

// GitTreeState is a member of versions of Helm.
func (u *unsaid) GitTreeState() (string, error) { return "", u.notice() }

// GoVersion is a member of versions of Helm.
func (u *unsaid) GoVersion() (string, error) { return "", u.notice() }
