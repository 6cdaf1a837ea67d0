package sign

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

// What is signed begins with what it is, so that nothing of one kind passes for the other.
const (
	taskKind  = "machinery-envelope task 1"
	stateKind = "machinery-envelope state 2"
)

// A canonicalForm is what a MAC is computed over. It holds values as they are read back from JSON, so that it is the
// same before a task is sent and after it has been received, however often it was marshalled in between. Every part
// says how long it is, or is of fixed length: no two tasks have the same canonical form.
type canonicalForm struct {
	bytes []byte
	err   error
}

var canonicalForms = sync.Pool{New: func() any { return new(canonicalForm) }}

// newCanonicalForm returns one that the caller must free.
func newCanonicalForm(kind string) *canonicalForm {
	f := canonicalForms.Get().(*canonicalForm)
	f.bytes, f.err = f.bytes[:0], nil
	f.text(kind)
	return f
}

func (f *canonicalForm) free() { canonicalForms.Put(f) }

// task writes every field of a task but SQSReceiptHandle, which the transport fills in, and the headers that are left
// out.
func (f *canonicalForm) task(s *tasks.Signature, eta string, leftOut func(header string) bool) {
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
	f.object(s.Headers, leftOut)
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

func (f *canonicalForm) nestedAll(signatures []*tasks.Signature) {
	f.number(len(signatures))
	for _, s := range signatures {
		f.nested(s)
	}
}

func (f *canonicalForm) nested(s *tasks.Signature) {
	f.flag(s != nil)
	if s != nil {
		f.task(s, etaText(s.ETA), nothing)
	}
}

// etaText is empty for a task that may run at once. JSON has no place for the seconds of an offset, and leaves them
// out: the ETA that is read back is later by these.
func etaText(eta *time.Time) string {
	if eta == nil {
		return ""
	}
	_, offset := eta.Zone()
	readBack := eta.Add(time.Duration(offset%60) * time.Second)
	return readBack.UTC().Format(time.RFC3339Nano)
}

func (f *canonicalForm) number(n int) { f.bytes = binary.BigEndian.AppendUint64(f.bytes, uint64(n)) }

func (f *canonicalForm) flag(b bool) {
	if b {
		f.bytes = append(f.bytes, 1)
	} else {
		f.bytes = append(f.bytes, 0)
	}
}

func (f *canonicalForm) text(s string) {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // each bad byte becomes U+FFFD, as in encoding/json
	}
	f.number(len(s))
	f.bytes = append(f.bytes, s...)
}

// value writes a value by its kind in JSON. The cases are those that are read back, and the common ones that are sent.
func (f *canonicalForm) value(v any) {
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
		f.object(v, nothing)
	default:
		f.value(f.readBack(v))
	}
}

func (f *canonicalForm) kind(k byte) { f.bytes = append(f.bytes, k) }

// literal writes a number as it stands in JSON.
func (f *canonicalForm) literal(n string) {
	if n == "" {
		n = "0" // so does encoding/json
	}
	f.kind('d')
	f.text(n)
}

func (f *canonicalForm) base64(b []byte) {
	if b == nil {
		f.kind('n')
		return
	}
	f.kind('s')
	f.number(base64.StdEncoding.EncodedLen(len(b)))
	f.bytes = base64.StdEncoding.AppendEncode(f.bytes, b)
}

func (f *canonicalForm) array(elements []any) {
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

// nothing leaves no member out.
func nothing(string) bool { return false }

func (f *canonicalForm) object(members map[string]any, leftOut func(key string) bool) {
	var few [8]string // most tasks have few headers
	keys := few[:0]
	for key := range members {
		if !leftOut(key) {
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
func (f *canonicalForm) readBack(v any) any {
	read, err := ReadBack(v)
	if err != nil {
		f.fail(err)
	}
	return read
}

// ReadBack returns a value as encoding/json reads what it writes of it, with UseNumber.
func ReadBack(v any) (any, error) {
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

func (f *canonicalForm) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}
