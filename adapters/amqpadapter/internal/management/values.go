package management

import (
	"encoding/json"
	"math"
	"time"
)

// Erlang writes an empty object as an empty list at times, and leaves out what it does not know yet: a value of another
// kind than it should be is no error.

// text is a string, empty where the value is none.
type text string

func (t *text) UnmarshalJSON(value []byte) error {
	var s string
	if json.Unmarshal(value, &s) == nil {
		*t = text(s)
	}
	return nil
}

// count is a number of things, or of seconds; nil where the value is none.
type count struct{ known *int64 }

func (c *count) UnmarshalJSON(value []byte) error {
	var n *int64
	if json.Unmarshal(value, &n) == nil && n != nil && *n >= 0 {
		c.known = n
	}
	return nil
}

func (c count) value() int {
	if c.known == nil || *c.known > math.MaxInt32 {
		return Unknown
	}
	return int(*c.known)
}

// maxSeconds is the last second of the year 9999, which is the last that has a JSON form.
const maxSeconds = 253402300799

// fromMilliseconds is from when on a number of seconds is one of milliseconds: some senders write those.
const fromMilliseconds = 100_000_000_000

// time takes the count for seconds since 1970, or for milliseconds where it would be in the year 5138 or later.
func (c count) time() time.Time {
	switch {
	case c.known == nil || *c.known == 0 || *c.known > maxSeconds*1000:
		return time.Time{}
	case *c.known >= fromMilliseconds:
		return time.UnixMilli(*c.known).UTC()
	default:
		return time.Unix(*c.known, 0).UTC()
	}
}

// object is the members of a JSON object; nil where the value is none.
type object map[string]json.RawMessage

func (o *object) UnmarshalJSON(value []byte) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) == nil {
		*o = members
	}
	return nil
}

func (o object) text(name string) string {
	var t text
	_ = t.UnmarshalJSON(o[name])
	return string(t)
}

func (o object) count(name string) count {
	var c count
	_ = c.UnmarshalJSON(o[name])
	return c
}
