package envelope_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// The types below are made as those of public modules are.
type (
	// charge is read from its identifier or an object, as in stripe-go.
	charge struct {
		ID     string
		Amount int64
	}
	// event holds a type that is only read, as in aws-lambda-go.
	event   struct{ Records []object }
	object  struct{ Key decoded }
	decoded string
	// report is only written.
	report struct{ Lines int }
	// stamped has the marshalers of what it embeds.
	stamped struct {
		time.Time
		Note string
	}
	// maybe is written as null when it is not set.
	maybe struct {
		Value int
		Set   bool
	}
	// sheet is generic.
	sheet[T any] struct{ Items []T }
	// choice is an interface that only its package can name.
	choice interface{ isChoice() }
	// named is no text.
	named struct{ A, B int }
)

func (c *charge) UnmarshalJSON(data []byte) error {
	type plain charge
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, &c.ID)
	}
	return json.Unmarshal(data, (*plain)(c))
}

func (d *decoded) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*string)(d)) }

func (report) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }

func (m maybe) MarshalJSON() ([]byte, error) {
	if !m.Set {
		return []byte("null"), nil
	}
	return json.Marshal(m.Value)
}

func (m *maybe) UnmarshalJSON(data []byte) error {
	m.Set = string(data) != "null"
	return json.Unmarshal(data, &m.Value)
}

type itself struct{ Next *itself }

func circular() *itself {
	first := &itself{}
	first.Next = first
	return first
}

// refusedTypes are types, each with what the first line of its refusal says.
var refusedTypes = map[string]struct {
	err  error
	says string
}{
	"only read": {registers[charge](),
		`envelope.MustRegister[envelope_test.charge](registry, "test.Subject", envelope.AsJSON())`},
	"only read, inside": {checks[event](),
		`envelope.MustRegister[envelope_test.object](registry, "envelope_test.object", envelope.AsJSON())`},
	"only written": {registers[report](),
		`envelope.MustRegister[envelope_test.report](registry, "test.Subject", envelope.AsJSON(), envelope.Verified())`},
	"a Protocol Buffers message": {registers[timestamppb.Timestamp](),
		`envelope.MustRegister[timestamppb.Timestamp](registry, "test.Subject", envelope.UseCodec(protocodec.Codec{}))`},
	"a Protocol Buffers message, inside": {checks[struct{ At *timestamppb.Timestamp }](),
		`envelope.MustRegister[timestamppb.Timestamp](registry, "timestamppb.Timestamp", envelope.UseCodec(protocodec.Codec{}))`},
	"no exported field": {checks[atomic.Int64](),
		`envelope.MustRegister[atomic.Int64](registry, "test.Subject", envelope.Convert(to, from))`},
	"no exported field, inside": {checks[struct{ Body *bytes.Buffer }](),
		`envelope.MustRegister[bytes.Buffer](registry, "bytes.Buffer", envelope.Convert(to, from))`},
	"a location": {checks[struct{ Zone *time.Location }](),
		`envelope.MustRegister[time.Location](registry, "time.Location", envelope.Convert(to, from))`},
	"a context": {checks[struct{ Ctx context.Context }](), "`func(ctx context.Context, …) error`"},
	"an interface": {checks[struct{ M encoding.TextMarshaler }](),
		`envelope.RegisterInterface[encoding.TextMarshaler](registry, "encoding.TextMarshaler")`},
	"an unexported interface": {checks[struct{ C choice }](),
		`envelope.RegisterInterface[envelope_test.choice](registry, "envelope_test.choice")`},
	"keys of structs": {checks[struct{ M map[named]int }](),
		`envelope.MustRegister[envelope_test.named](registry, "envelope_test.named", envelope.Convert(to, from))`},
	"keys of any":          {checks[struct{ M map[any]int }](), "use map[string]any"},
	"keys of pointers":     {checks[struct{ M map[*int]int }](), "map[int]V"},
	"keys of floats":       {checks[struct{ M map[float64]int }](), `envelope.MustRegister[K](registry, "…", envelope.Convert(to, from))`},
	"keys of one way":      {checks[struct{ M map[inward]int }](), `envelope.MustRegister[envelope_test.inward](registry, "envelope_test.inward"`},
	"promoted":             {registers[stamped](), "name the embedded field, `Time time.Time`, or call envelope.MustRegister[envelope_test.stamped]("},
	"a function":           {registers[struct1](), "tag the field `json:\"-\"`"},
	"a channel of its own": {registers[channel](), `envelope.MustRegister[envelope_test.channel](registry, "test.Subject", envelope.Convert(to, from))`},
}

type (
	struct1 struct{ Run func() }
	channel chan int
)

// checks returns what Check finds in a registered T.
func checks[T any](opts ...envelope.TypeOption) error {
	r := envelope.NewRegistry()
	if t := reflect.TypeFor[T](); t.Name() == "" {
		return cmp.Or(envelope.RegisterType(r, t, "test.Subject"), r.Check())
	}
	return cmp.Or(envelope.Register[T](r, "test.Subject", opts...), r.Check())
}

// refusedValues are values, each with what the first line of its refusal says.
var refusedValues = map[string]struct {
	value any
	says  string
}{
	"errors.New":               {errors.New("no"), "`err.Error()`"},
	"a joined error":           {errors.Join(errors.New("no")), "`err.Error()`"},
	"a context":                {context.Background(), "`func(ctx context.Context, …) error`"},
	"an unregistered type":     {named{}, `envelope.MustRegister[envelope_test.named](registry, "envelope_test.named")`},
	"a generic type":           {sheet[url.URL]{}, `envelope.MustRegister[envelope_test.sheet[url.URL]](registry, "…")`},
	"a message":                {timestamppb.Now(), `envelope.UseCodec(protocodec.Codec{})`},
	"an anonymous struct":      {struct{ A int }{}, `envelope.MustRegister[T](registry, "…")`},
	"a function":               {func() {}, `envelope.MustRegister[T](registry, "…", envelope.Convert(to, from))`},
	"a marshaler that is null": {&maybe{}, "send `(*envelope_test.maybe)(nil)`, or call envelope.MustRegister[envelope_test.maybe]("},
	"a pointer to nil":         {new([]int), "send `(*[]int)(nil)`"},
	"an empty json.Number":     {new(json.Number), "send `(*json.Number)(nil)`"},
	"a URL":                    {url.URL{Scheme: "HTTP"}, "`url.Parse(u.String())`"},
	"no JSON":                  {json.RawMessage("{"), "`json.Valid`"},
	"no number":                {json.Number("x"), "`json.Valid`"},
	"invalid UTF-8":            {"\xff", "`strings.ToValidUTF8`"},
	"an offset with seconds":   {time.Now().In(time.FixedZone("", 1)), "`t.UTC()`"},
	"an offset of a day":       {time.Now().In(time.FixedZone("", 86400)), "`t.UTC()`"},
	"a year of five digits":    {time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "`t.Unix()`"},
	"a value in itself":        {circular(), "envelope.Convert(to, from)"},
	"an address that is none":  {netip.AddrPortFrom(netip.Addr{}, 80), "`netip.AddrPort.IsValid()`"},
	"too deep a type":          {deepPointer(), "envelope.WithLimits"},
}

func deepPointer() **********int { return nil }

// call matches Go code that can be pasted.
var call = regexp.MustCompile("`[^`]+`|envelope\\.[A-Z]\\w+|map\\[\\w+\\]")

func TestEveryRefusalNamesTheCallThatCuresIt(t *testing.T) {
	t.Parallel()
	for name, c := range refusedTypes {
		t.Run(name, func(t *testing.T) { requireCure(t, c.err, c.says) })
	}
	r := envelope.NewRegistry()
	envelope.MustRegister[maybe](r, "test.Maybe")
	envelope.MustRegister[itself](r, "test.Itself")
	for name, c := range refusedValues {
		t.Run(name, func(t *testing.T) {
			_, err := r.Marshal(t.Context(), c.value)
			requireCure(t, err, c.says)
		})
	}
}

func requireCure(t *testing.T, err error, says string) {
	t.Helper()
	require.Error(t, err)
	first, rest, _ := strings.Cut(err.Error(), "\n")
	assert.Contains(t, first, says)
	assert.Regexp(t, call, first)
	assert.NotContains(t, first, "/", "an import path")
	assert.Empty(t, rest, "one line for a type")
}
