package canon

import "errors"

// PathPattern names fields. It covers what it names and everything below. The grammar:
//
//	pattern  = part { part }
//	part     = [ "." ] name | "[" "*" "]" | "[" quoted "]" | "[" key { "," key } "]" | "[" "=" value "]"
//	key      = name "=" value
//	value    = quoted | plain
//
//	spec.replicas                                      a field
//	spec.template.spec.containers[*].imagePullPolicy   of every item of a list
//	spec.template.spec.containers[name=istio-proxy]    the item with that key, and all below it
//	spec.ports[port=80,protocol=TCP].nodePort          an item with two keys
//	metadata.annotations["sidecar.istio.io/*"]         members of a map whose names are not plain
//	metadata.finalizers[="example.com/hold"]           an item of a set
//
// "*" in a name or value stands for any run of characters; a lone "*" part for any one member or
// item. Inside quotes a backslash takes the next character as it is.
type PathPattern struct {
	text string
}

// ParsePattern reads a pattern. The empty pattern, which would cover everything, is an error.
func ParsePattern(s string) (PathPattern, error) { return PathPattern{}, errors.New("empty pattern") }

// String is the pattern as it was written.
func (p PathPattern) String() string { return p.text }
