package worker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/render"
)

// maxFrame bounds one message between the processes, in bytes.
const maxFrame = 256 << 20

// task is the first message, to the worker.
type task struct {
	Source    render.Source
	Limits    render.Limits
	Memory    uint64 // bytes
	Processor time.Duration
}

// report is a message from the worker: a question, or the outcome and the last message.
type report struct {
	Ask  *question `json:",omitempty"`
	Done *outcome  `json:",omitempty"`
}

// question asks about the tree or about a kind.
type question struct {
	Op                   string // "stat", "list", "read" or "scope"
	Name                 string `json:",omitempty"`
	Group, Version, Kind string `json:",omitempty"`
}

// answer answers a question.
type answer struct {
	Missing           bool        `json:",omitempty"` // nothing there
	Failed            bool        `json:",omitempty"` // could not be read; the asking process knows why
	Mode              fs.FileMode `json:",omitempty"`
	Entries           []entry     `json:",omitempty"`
	Data              []byte      `json:",omitempty"`
	Namespaced, Known bool        `json:",omitempty"`
}

type entry struct {
	Name []byte // not always UTF-8
	Mode fs.FileMode
}

// outcome is what Render came to.
type outcome struct {
	Objects []object
	Closure change.Closure
	Refusal *render.Refusal `json:",omitempty"`
	Error   string          `json:",omitempty"`
}

type object struct {
	ID            change.ObjectID
	Version, File string
	Place         render.Place
	Content       json.RawMessage
}

// pack prepares objects for the way.
func pack(objects []render.Object) ([]object, error) {
	packed := make([]object, len(objects))
	for i, o := range objects {
		content, err := json.Marshal(marked(o.Content))
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", o.ID, err)
		}
		packed[i] = object{ID: o.ID, Version: o.Version, File: o.File, Place: o.Place, Content: content}
	}
	return packed, nil
}

// marked writes each float so that it is read back as a float, whatever its value.
func marked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = marked(child)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = marked(child)
		}
		return out
	case float64:
		return json.Number(strconv.FormatFloat(v, 'e', -1, 64))
	}
	return v
}

func unpack(packed []object) ([]render.Object, error) {
	var objects []render.Object
	for _, p := range packed {
		o := render.Object{ID: p.ID, Version: p.Version, File: p.File, Place: p.Place}
		if err := utiljson.Unmarshal(p.Content, &o.Content); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", p.ID, err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// link is one side of the conversation: messages as JSON, each after its length.
type link struct {
	r *bufio.Reader
	w io.Writer
}

func newLink(r io.Reader, w io.Writer) link { return link{r: bufio.NewReader(r), w: w} }

var errFrame = errors.New("the message is too long")

func (l link) send(message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("writing a message: %w", err)
	}
	if len(text) > maxFrame {
		return errFrame
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := l.w.Write(append(head, text...)); err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	return nil
}

func (l link) receive(message any) error {
	var head [4]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return fmt.Errorf("receiving a message: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return errFrame
	}
	text, err := io.ReadAll(io.LimitReader(l.r, int64(size))) // grows with what comes, not with what is promised
	if err != nil {
		return fmt.Errorf("receiving a message: %w", err)
	}
	if err := json.Unmarshal(text, message); err != nil {
		return fmt.Errorf("reading a message: %w", err)
	}
	return nil
}
