package middleware

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// What is signed begins with what it is, so that nothing of one kind passes for
// the other.
const (
	taskForm  = "machinery-envelope task 1"
	stateForm = "machinery-envelope state 1"
)

// A signedForm is what a MAC is computed over. It holds values as they are read
// back from JSON, so that it is the same before a task is sent and after it has
// been received, however often it was marshalled in between. Every part is as
// long as it says, or of fixed length: no two tasks have the same form.
type signedForm struct {
	bytes []byte
	err   error
}

var signedForms = sync.Pool{New: func() any { return new(signedForm) }}

// newSignedForm returns a form that the caller must free.
func newSignedForm(kind string) *signedForm {
	f := signedForms.Get().(*signedForm)
	f.bytes, f.err = f.bytes[:0], nil
	f.text(kind)
	return f
}

func (f *signedForm) free() { signedForms.Put(f) }

// task writes every field of a task but SQSReceiptHandle, which the transport
// fills in, and the headers that are named.
func (f *signedForm) task(s *tasks.Signature, eta string, without ...string) {
	f.text(s.UUID)
	f.text(s.Name)
	f.text(s.RoutingKey)
	f.text(eta)
	f.text(s.GroupUUID)
	f.number(s.GroupTaskCount)
	f.number(len(s.Args))
	for _, arg := range s.Args {
		f.text(arg.Name)
		f.text(arg.Type)
		f.value(arg.Value)
	}
	f.object(s.Headers, without...)
	f.number(int(s.Priority))
	f.flag(s.Immutable)
	f.number(s.RetryCount)
	f.number(s.RetryTimeout)
	f.nestedAll(s.OnSuccess)
	f.nestedAll(s.OnError)
	f.nested(s.ChordCallback)
	f.text(s.BrokerMessageGroupId)
	f.flag(s.StopTaskDeletionOnError)
	f.flag(s.IgnoreWhenTaskNotRegistered)
}

func (f *signedForm) nestedAll(signatures []*tasks.Signature) {
	f.number(len(signatures))
	for _, s := range signatures {
		f.nested(s)
	}
}

func (f *signedForm) nested(s *tasks.Signature) {
	f.flag(s != nil)
	if s != nil {
		f.task(s, etaText(s.ETA))
	}
}

// etaText is empty for a task that may run at once.
func etaText(eta *time.Time) string {
	if eta == nil {
		return ""
	}
	return eta.UTC().Format(time.RFC3339Nano)
}

func (f *signedForm) number(n int) { f.bytes = binary.BigEndian.AppendUint64(f.bytes, uint64(n)) }

func (f *signedForm) flag(b bool) {
	if b {
		f.bytes = append(f.bytes, 1)
	} else {
		f.bytes = append(f.bytes, 0)
	}
}

func (f *signedForm) text(s string) {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // each bad byte becomes U+FFFD, as in encoding/json
	}
	f.number(len(s))
	f.bytes = append(f.bytes, s...)
}

// value writes a value by its kind in JSON. The cases are those that are read
// back, and the common ones that are sent.
func (f *signedForm) value(v any) {
	switch v := v.(type) {
	case nil:
		f.kind('n')
	case bool:
		f.kind('b')
		f.flag(v)
	case string:
		f.kind('s')
		f.text(v)
	case json.Number:
		f.literal(string(v))
	case int:
		f.literal(strconv.Itoa(v))
	case int64:
		f.literal(strconv.FormatInt(v, 10))
	case uint64:
		f.literal(strconv.FormatUint(v, 10))
	case []byte:
		f.base64(v)
	case []any:
		f.array(v)
	case map[string]any:
		if v == nil {
			f.kind('n')
			return
		}
		f.kind('o')
		f.object(v)
	default:
		f.value(f.readBack(v))
	}
}

func (f *signedForm) kind(k byte) { f.bytes = append(f.bytes, k) }

// literal writes a number as it stands in JSON.
func (f *signedForm) literal(n string) {
	if n == "" {
		n = "0" // so does encoding/json
	}
	f.kind('d')
	f.text(n)
}

func (f *signedForm) base64(b []byte) {
	if b == nil {
		f.kind('n')
		return
	}
	f.kind('s')
	f.number(base64.StdEncoding.EncodedLen(len(b)))
	f.bytes = base64.StdEncoding.AppendEncode(f.bytes, b)
}

func (f *signedForm) array(elements []any) {
	if elements == nil {
		f.kind('n')
		return
	}
	f.kind('a')
	f.number(len(elements))
	for _, element := range elements {
		f.value(element)
	}
}

func (f *signedForm) object(members map[string]any, without ...string) {
	var few [8]string // most tasks have few headers
	keys := few[:0]
	for key := range members {
		if !slices.Contains(without, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	f.number(len(keys))
	for _, key := range keys {
		if !utf8.ValidString(key) {
			f.fail(fmt.Errorf("sign: a key of a header or object is not valid UTF-8"))
		}
		f.text(key)
		f.value(members[key])
	}
}

// readBack returns a value as its receiver reads it.
func (f *signedForm) readBack(v any) any {
	read, err := readBack(v)
	if err != nil {
		f.fail(err)
	}
	return read
}

func readBack(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read any
	err = decoder.Decode(&read)
	return read, err
}

func (f *signedForm) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}
