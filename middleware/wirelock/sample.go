package wirelock

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// A step is one from a version of a type to the next.
type step struct {
	name    string
	version int
}

// tryUpgrades reads a value of each type whose version was raised, as the locked version has it.
func (c *checker) tryUpgrades(locked *wireschema.Schema) []Change {
	if c.schema.Try == nil {
		return nil
	}
	x, current := newIndex(locked), newIndex(c.schema)
	var changes []Change
	for _, t := range locked.Types {
		now, ok := current.types[t.Name]
		if !ok || !isRegistered(t) || now.Version <= t.Version || !canUpgrade(now, t.Version) {
			continue
		}
		data, ok := c.samples[step{t.Name, t.Version}]
		if !ok {
			data, ok = x.sample(t)
		}
		if !ok {
			continue
		}
		if err := c.try(t.Name, t.Version, data); err != nil {
			changes = append(changes, Change{
				Kind: Breaking, Where: t.Name,
				What:   fmt.Sprintf("Upgrade(%d) was tried on a value of the old shape: %v", t.Version, err),
				Remedy: fmt.Sprintf("mend the upgrade, or give a value that it takes by wirelock.WithSample(%q, %d, …)", t.Name, t.Version),
			})
		}
	}
	return changes
}

func (c *checker) try(name string, version int, data string) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	return c.schema.Try(context.Background(), name, version, data)
}

// samples are JSON of built-in types that none of them refuses.
var samples = map[string]string{
	"bool": "true", "string": `"text"`, "float32": "1.5", "float64": "1.5", "complex64": "[1,2]", "complex128": "[1,2]",
	"time.Time": `"2024-02-29T12:00:00Z"`, "big.Int": "1", "big.Rat": `"1/2"`, "big.Float": `["0x.cp+2",53,"ToNearestEven"]`,
	"url.URL": `"https://example.org/"`, "netip.Addr": `"192.0.2.1"`, "netip.AddrPort": `"192.0.2.1:80"`,
	"netip.Prefix": `"192.0.2.0/24"`, "json.RawMessage": `{"a":1}`, "json.Number": "1", "any": `"text"`, "struct": "{}",
	"uuid.UUID": `"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`,
}

// maxSampled is how many values of types with names a sample has, and how many elements an array in it. Types that hold
// one another have more of them than could be written.
const maxSampled = 1000

// A sampler makes up values. Types that hold themselves end in null, or in what is empty.
type sampler struct {
	types  *index
	within map[string]bool
	count  int // of values of types with names
}

// sample returns the JSON of a value of a type, or false where only a codec or a method could write one.
func (x *index) sample(t wireschema.Type) (string, bool) {
	if t.Codec != "" {
		return "", false
	}
	s := sampler{types: x, within: map[string]bool{t.Name: true}}
	if t.Form != "" {
		return s.value(parse(t.Form))
	}
	return s.object(t), true
}

func (s *sampler) object(t wireschema.Type) string {
	var members []string
	for _, field := range t.Fields {
		value, ok := s.value(parse(field.Form))
		if !ok {
			continue // a missing member is a zero
		}
		if field.Quoted && value != "null" {
			value = quote(value)
		}
		members = append(members, quote(field.Name)+":"+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	return string(quoted)
}

func (s *sampler) value(f wireschema.Form) (string, bool) {
	switch f.Kind {
	case wireschema.Named:
		return s.named(f.Name)
	case wireschema.Pointer:
		value, ok := s.value(*f.Element)
		if !ok {
			return "null", true
		}
		return value, true
	case wireschema.List:
		if f.Element.String() == "uint8" {
			return `"AQI="`, true
		}
		value, ok := s.value(*f.Element)
		if !ok {
			return "[]", true
		}
		return "[" + value + "]", true
	case wireschema.Array:
		if f.Length > maxSampled {
			return "", false
		}
		value, ok := s.value(*f.Element)
		return "[" + strings.TrimSuffix(strings.Repeat(value+",", f.Length), ",") + "]", ok || f.Length == 0
	case wireschema.Map:
		return s.entry(f)
	}
	return "", false
}

func (s *sampler) entry(f wireschema.Form) (string, bool) {
	key, known := s.value(*f.Key)
	value, ok := s.value(*f.Element)
	if !known || !ok {
		return "{}", true
	}
	if !strings.HasPrefix(key, `"`) {
		key = quote(key)
	}
	return "{" + key + ":" + value + "}", true
}

func (s *sampler) named(name string) (string, bool) {
	if value, ok := samples[name]; ok {
		return value, true
	}
	if integers[name] != 0 {
		return "1", true
	}
	if _, ok := s.types.interfaces[name]; ok {
		return "null", true
	}
	t, ok := s.types.types[name]
	if !ok || s.within[t.Name] || t.Codec != "" || s.count == maxSampled {
		return "", false
	}
	s.count++
	s.within[t.Name] = true
	defer delete(s.within, t.Name)
	if t.Form != "" {
		return s.value(parse(t.Form))
	}
	return s.object(t), true
}
