// Package monitoring holds what the chart gives to the Prometheus operator against the operator's own types and
// Prometheus' own parser. It is a module of its own, so that neither comes into the product's.
package monitoring
