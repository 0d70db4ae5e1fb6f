package gitrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/pjbgf/sha1cd"
)

// The lengths of a full object id in hex.
const (
	sha1Hex   = 40
	sha256Hex = 64
)

// fullID reports whether s is a full object id: 40 or 64 lower-case hex digits. Short ids, tags
// and names are never used where something is decided (threat T-43).
func fullID(s string) bool {
	if len(s) != sha1Hex && len(s) != sha256Hex {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// objectID recomputes the id of an object with as many hex digits as asked for. It reports whether
// the bytes are those of a known attack on SHA-1, in which case the id says nothing (threat T-44).
func objectID(kind string, raw []byte, digits int) (id string, collision bool) {
	header := []byte(kind + " " + strconv.Itoa(len(raw)) + "\x00")
	if digits == sha256Hex {
		h := sha256.New()
		h.Write(header)
		h.Write(raw)
		return hex.EncodeToString(h.Sum(nil)), false
	}
	return sha1Sum(header, raw)
}

func sha1Sum(parts ...[]byte) (id string, collision bool) {
	h := sha1cd.New()
	for _, p := range parts {
		h.Write(p)
	}
	careful, ok := h.(sha1cd.CollisionResistantHash)
	if !ok { // never: it is what the library is for; without it every object is suspect
		return hex.EncodeToString(h.Sum(nil)), true
	}
	sum, collision := careful.CollisionResistantSum(nil)
	return hex.EncodeToString(sum), collision
}

// checkID refuses bytes that are not the object of this id.
func checkID(id, kind string, raw []byte) error {
	if !fullID(id) {
		return &MalformedError{ID: id, Reason: "not a full object id"}
	}
	have, collision := objectID(kind, raw, len(id))
	switch {
	case collision:
		return &MalformedError{ID: id, Reason: "bytes of a known attack on SHA-1"}
	case have != id:
		return &MalformedError{ID: id, Reason: "bytes have the id " + have}
	}
	return nil
}

// emptyTree is the id of the tree without entries, in the hash that id is written in.
func emptyTree(id string) string {
	empty, _ := objectID("tree", nil, len(id))
	return empty
}
