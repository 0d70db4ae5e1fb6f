package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// reader turns the bytes of one file into JSON values, as kubectl does.
type reader struct {
	limits Limits
	file   string
	// strict refuses what kustomize would read differently than kubectl. It is off for text that a
	// program wrote.
	strict bool
}

// value is one document of a file.
type value struct {
	json any
	line int // of the file, at which the document begins; the first is 1
}

// values are the documents of a file. Empty ones are left out.
func (r reader) values(data []byte) (values []value, err error) {
	defer refusePanic(r.file, &err)
	if !utf8.Valid(data) {
		return nil, refuse(Malformed, r.file, "is not UTF-8 text")
	}
	if bytes.HasPrefix(bytes.TrimLeftFunc(data, unicode.IsSpace), []byte("{")) {
		return r.json(data)
	}
	docs, err := r.split(data)
	if err != nil {
		return nil, err
	}
	for _, doc := range docs {
		v, err := r.yaml(doc)
		if err != nil {
			return nil, err
		}
		if v != nil {
			values = append(values, value{json: v, line: doc.line})
		}
	}
	return values, nil
}

// document is one document of a file, not parsed yet.
type document struct {
	text []byte
	line int
}

// split cuts at the lines that begin with "---", as kubectl and kustomize both do before any YAML
// is parsed. Like them it refuses such a line with more than a comment on it.
func (r reader) split(data []byte) ([]document, error) {
	var docs []document
	doc, line := document{line: 1}, 0
	for text := range bytes.Lines(data) {
		line++
		rest, separator := bytes.CutPrefix(text, []byte("---"))
		if !separator {
			doc.text = append(doc.text, text...)
			continue
		}
		if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' {
			return nil, r.refuse(Malformed, line, `a line that begins with "---" holds more than a comment`)
		}
		docs = append(docs, doc)
		doc = document{line: line + 1}
	}
	return append(docs, doc), nil
}

// yaml reads one document: nil for an empty one.
func (r reader) yaml(doc document) (any, error) {
	if empty, err := r.scan(doc); err != nil || empty {
		return nil, err
	}
	raw := doc
	if !bytes.HasSuffix(doc.text, []byte("\n")) {
		doc.text = slices.Concat(doc.text, []byte("\n")) // as kubectl does
	}
	// The messages of the decoders from here on repeat values, so none of them is handed on. The
	// strict decoder would take a name that overrides a merged one for a duplicate; scan does not.
	text, err := yaml.YAMLToJSON(doc.text)
	if err != nil {
		return nil, r.refuse(Malformed, doc.line, "holds a value that JSON cannot express, or whose tag does not fit it")
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, r.refuse(Malformed, doc.line, "holds a number that Kubernetes cannot read")
	}
	if !r.strict || v == nil {
		return v, nil
	}
	return v, r.sameForKustomize(raw, v)
}

// json reads a file that begins like JSON: one object. kubectl would take several, one after the
// other, and kustomize the first of them.
func (r reader) json(data []byte) ([]value, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(data)) // refuses duplicate names and bad UTF-8
	text, err := decoder.ReadValue()
	if err != nil {
		return nil, r.jsonError(data, err)
	}
	if len(text) > r.limits.Document {
		return nil, r.refuse(TooLarge, 1, "holds an object larger than %d bytes", r.limits.Document)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, r.refuse(Malformed, 1, "holds a number that Kubernetes cannot read")
	}
	if count(v, 0, r.limits) > r.limits.Nodes {
		return nil, r.tooManyNodes(1)
	}
	at := decoder.InputOffset()
	switch _, err := decoder.ReadToken(); {
	case errors.Is(err, io.EOF):
		return []value{{json: v, line: 1}}, nil
	case err != nil:
		return nil, r.jsonError(data, err)
	}
	return nil, r.refuse(Ambiguous, lineAt(data, at), "holds more than one JSON object; make it a list, or one file each")
}

// jsonError says where JSON is wrong. What the decoder says repeats names.
func (r reader) jsonError(data []byte, err error) error {
	line := 0
	if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
		line = lineAt(data, syntax.ByteOffset)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return r.refuse(Ambiguous, line, "sets one name twice")
	}
	return r.refuse(Malformed, line, "begins like JSON, and is not well-formed JSON")
}

func lineAt(data []byte, offset int64) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// count is the number of values in a JSON value, or more than the limit where they are nested too
// deeply.
func count(v any, level int, limits Limits) int {
	if level > limits.Nesting {
		return limits.Nodes + 1
	}
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			n += count(child, level+1, limits)
		}
	case []any:
		for _, child := range v {
			n += count(child, level+1, limits)
		}
	}
	return n
}

// refusePanic refuses input on which a library panicked; defer it around the call.
func refusePanic(file string, err *error) {
	if recover() != nil { // what it says may repeat a value
		*err = refuse(Unbuildable, file, "holds something that the libraries of Kubernetes fail on")
	}
}

func (r reader) tooManyNodes(line int) error {
	return r.refuse(TooLarge, line, "holds more than %d values, or more than %d inside each other", r.limits.Nodes, r.limits.Nesting)
}

func (r reader) refuse(reason Reason, line int, format string, args ...any) error {
	return &Refusal{Reason: reason, File: r.file, Line: line, Detail: fmt.Sprintf(format, args...)}
}
