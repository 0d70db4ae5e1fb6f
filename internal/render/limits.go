package render

import "time"

// Limits bound one render. A zero limit allows nothing, so start from DefaultLimits.
type Limits struct {
	Entries   int           // names that directories list, all together
	Files     int           // files read
	FileBytes int           // bytes of one file
	Bytes     int           // bytes read, all together; counted again for each use, and once more by the guard of kustomize
	Depth     int           // directories below each other
	Document  int           // bytes of one YAML or JSON document; the API server takes no more than 3 MiB
	Nodes     int           // values in one document, after its aliases are followed
	Nesting   int           // maps and lists inside each other
	Objects   int           // objects rendered
	Rendered  int           // bytes of the names and values of all objects rendered
	Bases     int           // kustomizations loaded; one that is used twice counts twice
	Time      time.Duration // for the whole render
}

// DefaultLimits are far above what a delivered source needs and far below what hurts.
func DefaultLimits() Limits {
	return Limits{
		Entries: 50_000, Files: 10_000, FileBytes: 10 << 20, Bytes: 100 << 20, Depth: 64,
		Document: 3 << 20, Nodes: 500_000, Nesting: 100, Objects: 10_000, Rendered: 32 << 20, Bases: 1_000,
		Time: time.Minute,
	}
}
