package render

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// scan parses a document without following anything, and refuses what would be dangerous to
// follow or has no one meaning: aliases that multiply or contain themselves, names set twice, tags
// of other languages, a second document that readers skip.
//
// The check for aliases that contain themselves must come before kustomize sees the text: it
// follows them until the stack of the process is used up, which nothing can recover from.
func (r reader) scan(doc document) (empty bool, err error) {
	if len(doc.text) > r.limits.Document {
		return false, r.refuse(TooLarge, doc.line, "holds a document larger than %d bytes", r.limits.Document)
	}
	decoder := kyaml.NewDecoder(bytes.NewReader(doc.text))
	var node, more kyaml.Node
	err = decoder.Decode(&node)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	if err == nil && !errors.Is(decoder.Decode(&more), io.EOF) {
		return false, r.refuse(Ambiguous, doc.line, `goes on after the end of a document; separate documents by a line "---"`)
	}
	if err != nil {
		line, problem := syntaxError(err)
		return false, r.refuse(Malformed, doc.line+max(line-1, 0), "is not well-formed YAML: %s", problem)
	}
	s := scanner{reader: r, first: doc.line, done: map[*kyaml.Node]extent{}}
	_, err = s.measure(&node, 0)
	return false, err
}

// scanAll scans text that kustomize is going to read, and counts its documents that are not empty.
func (r reader) scanAll(data []byte) (documents int, err error) {
	defer refusePanic(r.file, &err)
	if !utf8.Valid(data) {
		return 0, refuse(Malformed, r.file, "is not UTF-8 text")
	}
	docs, err := r.split(data)
	if err != nil {
		return 0, err
	}
	for _, doc := range docs {
		empty, err := r.scan(doc)
		if err != nil {
			return 0, err
		}
		if !empty {
			documents++
		}
	}
	return documents, nil
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError takes the line out of a message of the parser, which may be one too small. All its
// messages are fixed texts but one, which repeats the name of an alias: that may be a password that
// begins with a star.
func syntaxError(err error) (line int, problem string) {
	message := err.Error()
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		line, _ = strconv.Atoi(m[1]) // empty: 0, not known
	}
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias names no anchor (quote a value that begins with a star)"
	}
	return line, message
}

// scanner measures the nodes of one document.
type scanner struct {
	reader
	first int // line of the file at which the document begins
	// done holds what was measured; a zero extent marks a node that is being measured.
	done map[*kyaml.Node]extent
}

// extent is the size of a node after aliases are followed.
type extent struct{ nodes, depth int }

// measure checks a node and everything in it, once. An alias comes after its anchor, or inside it,
// so following one never goes deeper than the text does.
func (s *scanner) measure(node *kyaml.Node, level int) (extent, error) {
	line := s.line(node)
	if level > s.limits.Nesting {
		return extent{}, s.tooManyNodes(line)
	}
	if known, seen := s.done[node]; seen {
		if known == (extent{}) {
			return extent{}, s.refuse(Malformed, line, "holds an anchor that contains itself")
		}
		return known, nil
	}
	s.done[node] = extent{}
	if err := s.check(node); err != nil {
		return extent{}, err
	}
	if node.Kind == kyaml.AliasNode {
		of, err := s.measure(node.Alias, level)
		s.done[node] = of
		return of, err
	}
	size := extent{nodes: 1}
	for _, child := range node.Content {
		of, err := s.measure(child, level+1)
		if err != nil {
			return extent{}, err
		}
		size = extent{nodes: size.nodes + of.nodes, depth: max(size.depth, of.depth+1)}
		if size.nodes > s.limits.Nodes || size.depth > s.limits.Nesting {
			return extent{}, s.tooManyNodes(line)
		}
	}
	s.done[node] = size
	return size, nil
}

// plainTags are the tags whose meaning kubectl and kustomize agree on.
var plainTags = regexp.MustCompile(`^!!(str|int|float|bool|null|map|seq|merge|timestamp)$`)

// check refuses tags and names that have no one meaning in JSON.
func (s *scanner) check(node *kyaml.Node) error {
	if node.Tag != "" && !plainTags.MatchString(node.Tag) {
		return s.refuse(Ambiguous, s.line(node), "uses a YAML tag that JSON does not know")
	}
	if node.Kind != kyaml.MappingNode {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != kyaml.ScalarNode {
			return s.refuse(Ambiguous, s.line(key), "uses something other than plain text as a name")
		}
		if seen[key.Value] {
			return s.refuse(Ambiguous, s.line(key), "sets the name %s twice", cut(key.Value))
		}
		seen[key.Value] = true
	}
	return nil
}

func (s *scanner) line(node *kyaml.Node) int { return s.first + max(node.Line-1, 0) }

// cut quotes a name from outside for people, at most 64 runes of it.
func cut(name string) string {
	if runes := []rune(name); len(runes) > 64 {
		name = string(runes[:64]) + "…"
	}
	return strconv.Quote(name)
}
