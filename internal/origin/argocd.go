package origin

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// argoInstallation says which of several Argo CDs an object belongs to.
const argoInstallation = "argocd.argoproj.io/installation-id"

// labelLimit is how long the value of a label may be; Argo CD cuts the names of Applications to it.
const labelLimit = 63

// argoMarks is what Argo CD's repository server writes on a manifest: all but custom kinds get them.
// Source: SetAppInstance in util/argo/resource_tracking.go and GenerateManifests in
// reposerver/repository/repository.go of Argo CD 3.2.
func argoMarks(at tier.ArgoCD, application string, id change.ObjectID, namespace string) Marks {
	if id.Group == "apiextensions.k8s.io" && id.Kind == "CustomResourceDefinition" {
		return Marks{}
	}
	label := map[string]string{at.LabelKey: application}
	if at.Tracking == "Label" {
		return Marks{Labels: label}
	}
	namespace = cmp.Or(id.Namespace, at.Destination, namespace)
	notes := map[string]string{argoTracking: application + ":" + id.Group + "/" + id.Kind + ":" + namespace + "/" + id.Name}
	if at.InstallationID != "" {
		notes[argoInstallation] = at.InstallationID
	}
	if at.Tracking != "AnnotationAndLabel" {
		return Marks{Annotations: notes}
	}
	if len(application) > labelLimit {
		label[at.LabelKey] = strings.TrimRight(application[:labelLimit], "._-")
	}
	return Marks{Labels: label, Annotations: notes}
}

// argoOperation is the part of a sync that says what is synced.
type argoOperation struct {
	Sync *struct {
		Revision  string   `json:"revision"`
		Revisions []string `json:"revisions"`
	} `json:"sync"`
}

// Claimed are the commits that an Argo CD Application says it is delivering or has compared with, the
// likeliest first. While the first wave of a sync is applied, the operation alone has its revision: the
// result of the sync is written later. Everybody who may write the Application may write all of it, so
// this selects and explains, and proves nothing. What is no full commit id is left out.
func Claimed(application []byte) []string {
	var app struct {
		Operation *argoOperation `json:"operation"`
		Status    struct {
			OperationState *struct {
				Phase      string        `json:"phase"`
				Operation  argoOperation `json:"operation"`
				SyncResult *struct {
					Revision  string   `json:"revision"`
					Revisions []string `json:"revisions"`
				} `json:"syncResult"`
			} `json:"operationState"`
			Sync struct {
				Revision  string   `json:"revision"`
				Revisions []string `json:"revisions"`
			} `json:"sync"`
		} `json:"status"`
	}
	if json.Unmarshal(application, &app) != nil {
		return nil
	}
	var commits []string
	add := func(revision string, revisions []string) {
		for _, r := range append([]string{revision}, revisions...) {
			if IsCommit(r) && !slices.Contains(commits, r) {
				commits = append(commits, r)
			}
		}
	}
	operation := func(o argoOperation) {
		if o.Sync != nil {
			add(o.Sync.Revision, o.Sync.Revisions)
		}
	}
	if state := app.Status.OperationState; state != nil {
		if state.SyncResult != nil && state.Phase == "Running" {
			add(state.SyncResult.Revision, state.SyncResult.Revisions)
		}
		operation(state.Operation)
	}
	if app.Operation != nil {
		operation(*app.Operation)
	}
	add(app.Status.Sync.Revision, app.Status.Sync.Revisions)
	return commits
}
