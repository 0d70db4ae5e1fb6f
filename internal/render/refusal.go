package render

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Reason is a stable word for why a source does not render.
type Reason string

// The reasons.
const (
	PathMissing     Reason = "PathMissing"     // the path, or a file that a kustomization names, is not in the tree
	NotADirectory   Reason = "NotADirectory"   // a directory is needed, and something else is there
	NotAFile        Reason = "NotAFile"        // a file is needed, and something else is there
	Link            Reason = "Link"            // a symbolic link
	Submodule       Reason = "Submodule"       // content of another repository
	LargeFile       Reason = "LargeFile"       // a pointer to Git LFS: the content is not in Git
	Encrypted       Reason = "Encrypted"       // a manifest encrypted with SOPS: the content cannot be compared
	TooLarge        Reason = "TooLarge"        // over one of the Limits
	Malformed       Reason = "Malformed"       // not well-formed YAML or JSON, or no object of Kubernetes
	Ambiguous       Reason = "Ambiguous"       // two readers would read it differently
	GeneratedName   Reason = "GeneratedName"   // metadata.generateName: no name to bind
	Duplicate       Reason = "Duplicate"       // one identity rendered twice
	Unsupported     Reason = "Unsupported"     // a renderer, or a field of a kustomization, that is not supported
	Remote          Reason = "Remote"          // something that lies outside the repository
	OutsideTree     Reason = "OutsideTree"     // a path that leaves the repository
	NoKustomization Reason = "NoKustomization" // no kustomization file in a directory that needs one
	Cycle           Reason = "Cycle"           // a kustomization that contains itself
	Unbuildable     Reason = "Unbuildable"     // kustomize or helm gives up on it
	Unbindable      Reason = "Unbindable"      // renders to something else each time, or on each cluster
)

// Refusal says why a source does not render. Unless MayPass, it is final for this commit: only another
// commit, or another path or renderer in the source, changes it.
type Refusal struct {
	Reason Reason
	File   string // the file or directory it is about, relative to the root of the tree; may be empty
	Line   int    // of File; 0: not known
	Detail string // for people; never a value of a manifest
	// MayPass says that it was this machine that gave up, so that another try may do better.
	MayPass bool
}

// Error is the refusal on one line: the file, the line and the detail. A Refusal is an error so
// that it can travel up through the readers; Render hands it out as a value.
func (r *Refusal) Error() string {
	switch {
	case r.File == "":
		return r.Detail
	case r.Line == 0:
		return fmt.Sprintf("%s: %s", plainName(r.File), r.Detail)
	}
	return fmt.Sprintf("%s:%d: %s", plainName(r.File), r.Line, r.Detail)
}

// plainName is a file name as it is where it is harmless, and quoted where it holds spaces or what
// could pass for other text.
func plainName(name string) string {
	quoted := strconv.Quote(name)
	if quoted[1:len(quoted)-1] != name || strings.ContainsAny(name, " :") {
		return quoted
	}
	return name
}

func refuse(reason Reason, file, format string, args ...any) error {
	return &Refusal{Reason: reason, File: file, Detail: fmt.Sprintf(format, args...)}
}

// split tells a refusal from an error.
func split(err error) (*Refusal, error) {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal, nil
	}
	return nil, err
}
