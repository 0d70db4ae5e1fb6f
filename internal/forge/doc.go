// Package forge knows what people said about a change on the page where they review: GitHub, GitLab
// or Gitea. It reads changes, their reviews, heads and pushers, folds them into approvals, and
// receives the forges' webhooks. Its sub-packages speak to one forge each, and forgetest holds what
// all of them must do.
//
// A forge is believed about who said what and when, and who pushed. It is not believed about content:
// what a review is of is compared by raw diff (Git), since forges re-point the commit of a review
// (GitHub), keep none (GitLab), or miscount what is outdated (Gitea). Flags such as stale, official
// or approved are never read.
//
// Everything here fails closed. What a forge does not tell, or this package does not understand,
// makes no approval: Fold says so with a reason. An error means that the forge could not be asked.
package forge
