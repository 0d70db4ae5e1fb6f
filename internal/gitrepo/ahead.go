package gitrepo

import (
	"context"
	"fmt"
)

// Ahead writes the commit that merging head into tip would make, on no ref, so that a change can be
// looked at before it lands. It is not clean, and no commit is written, where the two conflict. The
// commit is unsigned and belongs to nobody; git removes it with its other garbage.
func (r *Repo) Ahead(ctx context.Context, tip, head string) (commit string, clean bool, err error) {
	tree, clean, err := r.MergeTree(ctx, tip, head)
	if err != nil || !clean {
		return "", false, err
	}
	commit, err = r.writeCommit(ctx, tree, "Fairway: as if "+head+" had landed", []string{tip, head}, "@0 +0000")
	if err != nil {
		return "", false, fmt.Errorf("writing the merge of %s: %w", head, err)
	}
	return commit, true, nil
}
