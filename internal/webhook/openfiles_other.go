//go:build !unix

package webhook

// openFiles is how many files and connections the process may have open: nobody can tell here.
func openFiles() uint64 { return most }
