package gitrepo

import (
	"bytes"
	"strings"
)

// maxSignature bounds the bytes of one signature.
const maxSignature = 64 << 10

// oneBlock returns a signature header's armoured block, ended by a line feed, if it is all that the
// header holds. GitHub ends the header of its own signatures with one blank line, which git leaves
// out of the payload with the rest: that one is let through and cut off.
func oneBlock(value []byte) (block []byte, refused string) {
	if len(value) > maxSignature {
		return nil, "signature is longer than 64 KiB"
	}
	value = bytes.TrimSuffix(value, []byte("\n"))
	lines := strings.Split(string(value), "\n")
	kind, ok := strings.CutPrefix(lines[0], "-----BEGIN ")
	kind, ended := strings.CutSuffix(kind, "-----")
	if !ok || !ended || !known(kind) {
		return nil, "signature does not begin with a known armour"
	}
	last := len(lines) - 1
	if last < 2 || lines[last] != "-----END "+kind+"-----" {
		return nil, "signature does not end with its armour"
	}
	for _, line := range lines[1:last] {
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, " ") || !printable(line) {
			return nil, "signature is not one armoured block"
		}
	}
	return append(value[:len(value):len(value)], '\n'), ""
}

// known reports whether git takes a block of this kind for a signature.
func known(kind string) bool {
	switch kind {
	case "PGP SIGNATURE", "PGP MESSAGE", "SSH SIGNATURE", "SIGNED MESSAGE":
		return true
	}
	return false
}

func printable(line string) bool {
	return strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
