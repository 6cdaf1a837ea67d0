package taskjson

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxDepth is how deep signatures nest that are written and read here.
const maxDepth = 1000

// A writer appends JSON to text. It fails where encoding/json is to write all.
type writer struct {
	text   []byte
	failed bool
}

// writers keep their room for the next text.
var writers = sync.Pool{New: func() any { return new(writer) }}

// maxKept is how much room a writer keeps.
const maxKept = 64 << 10

func (w *writer) release() {
	if cap(w.text) <= maxKept {
		w.text, w.failed = w.text[:0], false
		writers.Put(w)
	}
}

func (w *writer) raw(text string) { w.text = append(w.text, text...) }

func (w *writer) int(n int64) { w.text = strconv.AppendInt(w.text, n, 10) }

func (w *writer) bool(b bool) { w.text = strconv.AppendBool(w.text, b) }

// value writes what an interface holds.
func (w *writer) value(v any) {
	switch v := v.(type) {
	case nil:
		w.raw("null")
	case string:
		w.string(v)
	case bool:
		w.bool(v)
	case int:
		w.int(int64(v))
	case int64:
		w.int(v)
	default:
		w.marshal(v)
	}
}

// marshal has encoding/json write a value.
func (w *writer) marshal(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		w.failed = true
		return
	}
	w.text = append(w.text, text...)
}

// object writes a map, its keys in order.
func (w *writer) object(members map[string]any) {
	if members == nil {
		w.raw("null")
		return
	}
	var few [16]string
	keys := few[:0]
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	w.raw("{")
	for i, key := range keys {
		if i > 0 {
			w.raw(",")
		}
		w.string(key)
		w.raw(":")
		w.value(members[key])
	}
	w.raw("}")
}

// plain are the bytes that stand for themselves in a string that may be put into HTML.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return is
}()

const hexDigits = "0123456789abcdef"

// string leaves to encoding/json what is no UTF-8, and the characters beyond ASCII that it escapes: U+2028 and U+2029.
func (w *writer) string(s string) {
	if !utf8.ValidString(s) || strings.Contains(s, "\u2028"[:2]) {
		w.marshal(s)
		return
	}
	text := append(w.text, '"')
	for at := 0; ; at++ {
		begin := at
		for at < len(s) && plain[s[at]] {
			at++
		}
		text = append(text, s[begin:at]...)
		if at == len(s) {
			break
		}
		if c := s[at]; c == '"' || c == '\\' {
			text = append(text, '\\', c)
		} else {
			text = appendEscaped(text, c)
		}
	}
	w.text = append(text, '"')
}

func appendEscaped(text []byte, c byte) []byte {
	switch c {
	case '\b':
		return append(text, '\\', 'b')
	case '\f':
		return append(text, '\\', 'f')
	case '\n':
		return append(text, '\\', 'n')
	case '\r':
		return append(text, '\\', 'r')
	case '\t':
		return append(text, '\\', 't')
	default:
		return append(text, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
}
