// Package store turns Fairway's kinds into the compiled values that judge: kinds from a cluster's
// API server or from a directory of YAML files become one tier.World, and verified ProvenCommits
// become an Index.
//
// What cannot be compiled is left out and named in World.Problems: a tier that is left out is
// looked up in vain, and what is looked up in vain is judged by the strictest tier there is.
package store
