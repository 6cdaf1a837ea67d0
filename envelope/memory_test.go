package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

type (
	// wide takes a kilobyte of memory, and two bytes of JSON.
	wide     struct{ A, B, C, D [32]int64 }
	wideKey  [20]int64
	wideNode struct {
		Next  *wideNode
		Wide  *wide
		Value any
		Shape wideShape
		More  []wide
		*WideEmbedded
	}
	WideEmbedded struct{ Base [64]int64 }
	wideQuoted   struct {
		N int `json:",string"`
	}
	wideConverted struct{ N [16]int64 }
	wideUpgraded  struct{ N [16]int64 }
	wideShape     interface{ Wide() }
)

func (wide) Wide() {}

func (k *wideKey) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d", k[0]), nil }
func (k *wideKey) UnmarshalText(text []byte) error {
	k[0] = int64(len(text))
	return nil
}

func wideRegistry(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry(append(opts, envelope.Encodings(zstdencoding.New()))...)
	require.NoError(t, envelope.RegisterInterface[wideShape](r, "wide.Shape"))
	require.NoError(t, envelope.Register[wide](r, "wide.Wide"))
	require.NoError(t, envelope.Register[wideKey](r, "wide.Key"))
	require.NoError(t, envelope.Register[wideNode](r, "wide.Node"))
	require.NoError(t, envelope.Register[wideQuoted](r, "wide.Quoted"))
	require.NoError(t, envelope.Register[wideConverted](r, "wide.Converted", envelope.Convert(
		func(_ context.Context, c wideConverted) (wide, error) { return wide{}, nil },
		func(context.Context, wide) (wideConverted, error) { return wideConverted{}, nil })))
	require.NoError(t, envelope.Register[wideUpgraded](r, "wide.Upgraded", envelope.Version(2), envelope.Upgrade(1,
		func(context.Context, wide) (wideUpgraded, error) { return wideUpgraded{}, nil })))
	require.NoError(t, r.Check())
	return r
}

// cheapElements are values that take little text for much memory, or that are read by way of much memory.
var cheapElements = map[string][]string{
	"any": {
		`null`, `0`, `true`, `""`, `"a"`, `[]`, `{}`, `[[]]`, `{"":0}`, `{"":{}}`, `[0,0,0]`, `"\n"`,
		`{"$envelope":1,"type":"wide.Wide","data":{}}`, `{"$envelope":1,"type":"*wide.Wide","data":{}}`,
		`{"$envelope":1,"type":"[]byte","data":""}`, `{"$envelope":1,"type":"map[string][]byte","data":null}`,
		`{"$envelope":1,"type":"any","data":0}`, `{"$envelope":1,"a":0,"b":0,"type":"any","data":0}`,
		`{"$envelope":1,"type":"*any","data":{"$envelope":1,"type":"*any","data":0}}`,
	},
	"bool": {"true"}, "string": {`""`, `"a"`, `"\n"`, `"` + strings.Repeat("a", 65) + `"`},
	"int": {"0"}, "int8": {"0"}, "int16": {"0"}, "int32": {"0"}, "int64": {"0"}, "uint": {"0"}, "uint8": {"0"},
	"uint16": {"0"}, "uint32": {"0"}, "uint64": {"0"}, "uintptr": {"0"}, "float32": {"0"}, "float64": {"0"},
	"complex64": {"[0,0]"}, "complex128": {"[0,0]"}, "time.Time": {`"2024-01-01T00:00:00Z"`}, "time.Duration": {"0"},
	"big.Int": {"0", strings.Repeat("9", 30), strings.Repeat("9", 1000), strings.Repeat("9", 20_000)},
	"big.Rat": {`"0"`, `"1/3"`, `"1/` + strings.Repeat("9", 1000) + `"`, `"1` + strings.Repeat("7", 9999) + "/" + strings.Repeat("9", 10_000) + `"`},
	"big.Float": {
		`["0",1,"ToZero"]`, `["0x.8p+60000",60000,"ToZero"]`, `["0x.8p-60000",60000,"ToZero"]`,
		`["0x.` + strings.Repeat("f", 10_000) + `p+1",60000,"ToZero"]`,
	},
	"url.URL":    {`""`, `"a"`, `"//a"`, `"http://a:b@c/d%2Fe?f#g"`, `"/` + strings.Repeat("%2F", 1000) + `"`},
	"netip.Addr": {`""`, `"::"`, `"1.2.3.4"`, `"::1%a"`}, "netip.AddrPort": {`""`, `"[::1%a]:1"`}, "netip.Prefix": {`""`, `"::/0"`},
	"json.RawMessage": {"0", "[]"}, "json.Number": {"0"}, "uuid.UUID": {`"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`},
	"wide.Wide": {`{}`, `{"":0}`, `{"a":[` + strings.Repeat("0,", 31) + `0]}`}, "wide.Shape": {`{"$envelope":1,"type":"wide.Wide","data":{}}`},
	"wide.Node": {
		`{}`, `{"Next":{}}`, `{"Wide":{}}`, `{"Value":0}`, `{"More":[{}]}`, `{"Base":[` + strings.Repeat("0,", 63) + `0]}`,
		`{"Next":{"Next":{"Next":{}}}}`, `{"Shape":{"$envelope":1,"type":"*wide.Wide","data":{}}}`,
	},
	"wide.Quoted": {`{"N":"1"}`}, "wide.Converted": {`{}`}, "wide.Key": {`"1"`},
	"[]uint8": {`""`, `"AAAA"`}, "[]any": {`[]`, `[0]`}, "map[string]any": {`{}`, `{"":0}`}, "map[string]string": {`{}`, `{"":""}`},
	"[]string": {`[]`, `[""]`}, "[]int": {`[]`, `[0]`, `[0,0,0]`}, "[]float64": {`[0]`}, "[]bool": {`[true]`}, "map[int]url.URL": {`{}`, `{"1":""}`},
	"map[uint8]big.Rat": {`{"1":"1"}`}, "map[wide.Key]wide.Wide": {`{}`, `{"1":{}}`}, "*wide.Wide": {`{}`}, "**wide.Wide": {`{}`},
	"*****int": {"0"}, "[4]wide.Wide": {`[{},{},{},{}]`}, "map[time.Time]bool": {`{"2024-01-01T00:00:00Z":true}`},
	"map[string]wide.Wide": {`{"":{}}`}, "map[int]int": {listed("{", "}", 9, numbered(`"`, `":0`)), listed("{", "}", 57, numbered(`"`, `":0`))},
}

// No message takes more memory than it is allowed, whether it is read or refused; a half more is for what the runtime
// rounds up.
func TestNoMessageTakesMoreThanItsBudget(t *testing.T) {
	const budget = 1 << 20
	r := wideRegistry(t, envelope.WithLimits(envelope.Limits{MaxMemory: budget}))
	for element, texts := range cheapElements {
		if raceDetector && strings.HasPrefix(element, "big.") {
			continue
		}
		for _, text := range texts {
			count := 1 + (1<<19)/(len(text)+1)
			for expression, data := range map[string]string{
				"[]" + listedOnly(element): listed("[", "]", count, always(text)),
				"[]*" + element:            listed("[", "]", count, always(text)),
				"map[string]" + element:    listed("{", "}", count/4, func(i int) string { return fmt.Sprintf(`"%x":%s`, i, text) }),
				"map[uint32]" + element:    listed("{", "}", count/4, func(i int) string { return fmt.Sprintf(`"%d":%s`, i, text) }),
				"[]map[string]" + element:  listed("[", "]", count/2, always(`{"":`+text+`}`)),
				"[][1]" + element:          listed("[", "]", count, always("["+text+"]")),
			} {
				requireBudget(t, r, holding(expression, data), budget)
			}
		}
	}
}

// listedOnly returns a type like element whose lists are no base64.
func listedOnly(element string) string {
	if element == "uint8" {
		return "*uint8"
	}
	return element
}

func requireBudget(t *testing.T, r *envelope.Registry, text string, budget int) {
	t.Helper()
	var err error
	used := allocated(func() { _, err = r.UnmarshalAny(t.Context(), text) })
	if err != nil {
		require.ErrorIs(t, err, envelope.ErrLimit, "%.100s", text)
		require.ErrorContains(t, err, fmt.Sprintf("limit exceeded: MaxMemory is %d, see envelope.WithLimits", budget), "%.100s", text)
	}
	assert.LessOrEqual(t, used, budget+budget/2, "%v: %.100s", err, text)
}

func TestMemoryOfOlderVersionsCounts(t *testing.T) {
	const budget = 1 << 20
	r := wideRegistry(t, envelope.WithLimits(envelope.Limits{MaxMemory: budget}))
	data := listed("[", "]", 10_000, always(`{}`))
	requireBudget(t, r, `{"$envelope":1,"type":"[]wide.Upgraded","version":1,"data":`+data+`}`, budget)
}

func TestByDefaultMemoryIsInProportionToTheBytesReceived(t *testing.T) {
	r := wideRegistry(t)
	const mib = 1 << 20
	for name, c := range map[string]struct {
		text   string
		budget int // at least
	}{
		"wide structs":     {holding("[]wide.Wide", listed("[", "]", 1<<19, always("{}"))), 0},
		"URLs":             {holding("[]url.URL", listed("[", "]", 500_000, always(`""`))), 0},
		"a short message":  {zipped(t, "[]wide.Wide", listed("[", "]", 10<<20, always("{}"))), 64 * mib},
		"an escaped bomb":  {zipped(t, "[]string", listed("[", "]", 5<<20, always(`"\n"`))), 64 * mib},
		"a bomb of URLs":   {zipped(t, "[]url.URL", listed("[", "]", 10<<20, always(`""`))), 64 * mib},
		"nested envelopes": {zipped(t, "[]any", listed("[", "]", 300_000, always(`{"$envelope":1,"type":"wide.Wide","data":{}}`))), 64 * mib},
		"arrays":           {zipped(t, "[]any", listed("[", "]", 2_000, always(`{"$envelope":1,"type":"[4096]uint64","data":[`+strings.Repeat("0,", 4095)+`0]}`))), 64 * mib},
	} {
		t.Run(name, func(t *testing.T) { requireBudget(t, r, c.text, max(c.budget, 64*len(c.text))) })
	}
}

// zipped is an envelope with a compressed payload.
func zipped(t *testing.T, typeName, payload string) string {
	t.Helper()
	frame, err := zstdencoding.New().AppendEncode(nil, []byte(payload))
	require.NoError(t, err)
	return encodedEnvelope(typeName, `"zstd"`, frame)
}

func TestPayloadsOfTheStoreAreReceived(t *testing.T) {
	store := memoryStore{}
	r := envelope.NewRegistry(envelope.WithStore(store, 10))
	sent := strings.Split(strings.Repeat("abcdefghij,", 2<<20), ",")
	text := marshal(t, r, sent)
	assert.Less(t, len(text), 200)
	assert.Len(t, receives[[]string](t, r, text), len(sent))
}

// What is sent is JSON of the sender's own, so what reading it would take does not count.
func TestMaxMemoryDoesNotBoundSending(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxMemory: 100}))
	escaped := `["` + strings.Repeat(`\u00e9`, 1000) + `"]`
	require.NoError(t, envelope.Register[ownJSON](r, "test.OwnJSON"))
	require.NoError(t, envelope.Register[asOwnJSON](r, "test.AsOwnJSON", envelope.AsJSON()))
	for _, sent := range []any{
		json.RawMessage(escaped), ownJSON{escaped}, asOwnJSON{strings.Repeat("\n", 1000)}, map[string]json.RawMessage{"a": json.RawMessage(escaped)},
	} {
		_, err := r.Marshal(t.Context(), sent)
		require.NoError(t, err, "%T", sent)
	}
	requireLimit(t, r, opened("json.RawMessage", escaped), "MaxMemory is 100")
	type color string
	require.NoError(t, r.CheckFits(reflect.TypeFor[[][][]color](), reflect.TypeFor[any]()))
}

type (
	ownJSON   struct{ text string }
	asOwnJSON struct{ Text string }
)

func (o ownJSON) MarshalJSON() ([]byte, error)        { return []byte(o.text), nil }
func (o *ownJSON) UnmarshalJSON(message []byte) error { o.text = string(message); return nil }
