package canon

import "github.com/fairway-dev/fairway/internal/change"

// DigestManifest is the digest of what a server-side apply of manifest would own: each field path
// with its value as the API server stores it. The manifest needs apiVersion, kind and
// metadata.name, and metadata.namespace if the kind is namespaced. A manifest that the API server
// would refuse to apply (unknown field, two items of one key, a kind without a schema) is an error.
func DigestManifest(manifest map[string]any, s Schema, key Key) (change.Digest, error) {
	return change.Digest{}, errNoKey
}

// Differ names the fields in which the server-side apply by manager that object holds differs from
// manifest: missing, added or of another value. Paths only, sorted; empty: they are the same.
func Differ(object *Object, manager string, manifest map[string]any, s Schema) ([]string, error) {
	return nil, errNoKey
}
