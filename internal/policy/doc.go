// Package policy is the judge.
package policy
