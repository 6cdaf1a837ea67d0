package envelope_test

import (
	"context"
	"encoding/json"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types that fuzzing reads into.
type (
	fuzzRich struct {
		Base
		*Middle
		Flag    Flag               `json:"flag"`
		Label   Label              `json:"label,omitempty"`
		Levels  Levels             `json:"levels"`
		Numbers []float64          `json:"numbers"`
		Small   [3]int8            `json:"small"`
		Index   Index              `json:"index"`
		Quoted  *int64             `json:"quoted,string"`
		Real    float32            `json:"real,string"`
		Code    Code               `json:"code"`
		Color   *Color             `json:"color"`
		When    time.Time          `json:"when,omitzero"`
		ID      uuid.UUID          `json:"uuid"`
		Maybe   **Pair[int, []int] `json:"maybe"`
	}
	fuzzInterfaces struct {
		Any     any
		List    []any
		Bag     map[string]any
		Figure  Figure
		Figures map[string]Figure
	}
	fuzzRecursive struct {
		Next     *fuzzRecursive
		Children []fuzzRecursive
		Named    map[string]fuzzRecursive
		Tree     Tree[any]
	}
	fuzzKeys struct {
		Bools     map[bool]int
		Ints      map[int8]string
		Uints     map[uint64]bool
		Times     map[time.Time]int
		Codes     map[Code]int
		Colors    map[Color][]int
		Addresses map[netip.Addr]int
		Nested    map[Label]map[int]map[string]any
	}
	fuzzNumbers struct {
		Int      big.Int
		IntP     *big.Int
		Rat      big.Rat
		Float    big.Float
		Number   json.Number
		Complex  complex128
		Float32  float32
		Unsigned uint64
		Time     time.Time
		Duration time.Duration
		URL      *url.URL
		Prefix   netip.Prefix
		Port     netip.AddrPort
		Raw      json.RawMessage
	}
	fuzzBytes struct {
		Bytes  []byte
		Blob   Blob
		Array  [4]byte
		Arrays [][2][2]uint8
		Matrix [2]*[2]bool
		Levels []Level
	}
)

func fuzzRegistry(t require.TestingT) *envelope.Registry {
	r := envelope.NewRegistry()
	registerFigures(t, r)
	require.NoError(t, envelope.Register[fuzzRich](r, "fuzz.Rich"))
	require.NoError(t, envelope.Register[fuzzInterfaces](r, "fuzz.Interfaces"))
	require.NoError(t, envelope.Register[fuzzRecursive](r, "fuzz.Recursive"))
	require.NoError(t, envelope.Register[fuzzKeys](r, "fuzz.Keys"))
	require.NoError(t, envelope.Register[fuzzNumbers](r, "fuzz.Numbers"))
	require.NoError(t, envelope.Register[fuzzBytes](r, "fuzz.Bytes"))
	require.NoError(t, r.Check())
	return r
}

// addVectors seeds a fuzz target with all envelopes of the vectors.
func addVectors(f *testing.F) {
	for _, file := range []string{"written.json", "read.json", "refused.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "vectors", file))
		require.NoError(f, err)
		var vectors []vector
		require.NoError(f, json.Unmarshal(text, &vectors))
		for _, v := range vectors {
			f.Add(v.Envelope)
		}
	}
}

func FuzzParse(f *testing.F) {
	addVectors(f)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := envelope.Parse(text)
		if err != nil {
			require.Zero(t, parsed)
			return
		}
		require.Equal(t, 1, parsed.Format)
		require.NotEmpty(t, parsed.Type)
		require.Positive(t, parsed.Version)
		if parsed.Codec == "json" && len(parsed.Encoding) == 0 && parsed.Ref == "" && parsed.Data() != nil {
			require.True(t, json.Valid(parsed.Data()), "%s", parsed.Data())
		}
	})
}

func FuzzUnmarshalAny(f *testing.F) {
	addVectors(f)
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	r := fuzzRegistry(f)
	f.Fuzz(func(t *testing.T, text string) {
		value, err := r.UnmarshalAny(context.Background(), text)
		if err != nil {
			require.Nil(t, value)
			return
		}
		_, err = envelope.Parse(text)
		require.NoError(t, err, "what can be read can be taken apart")
		requireStable(t, r, value)
	})
}

// requireStable makes sure that what was read is written so that it reads back equal, and then the same again.
func requireStable(t rapid.TB, r *envelope.Registry, value any) {
	text, err := r.Marshal(context.Background(), value)
	require.NoError(t, err)
	target := reflect.New(dynamicType(value))
	require.NoError(t, r.Unmarshal(context.Background(), text, target.Interface()), text)
	requireSame(t, value, target.Elem().Interface(), text)
	again, err := r.Marshal(context.Background(), target.Elem().Interface())
	require.NoError(t, err)
	require.Equal(t, text, again)
}

// fuzzInto fuzzes the data of envelopes of the type that T is registered as.
func fuzzInto[T any](f *testing.F, seeds ...T) {
	r := fuzzRegistry(f)
	name, err := r.TypeName(reflect.TypeFor[T]())
	require.NoError(f, err)
	for _, seed := range seeds {
		text, err := r.Marshal(context.Background(), seed)
		require.NoError(f, err)
		parsed, err := envelope.Parse(text)
		require.NoError(f, err)
		f.Add(string(parsed.Data()))
	}
	f.Fuzz(func(t *testing.T, data string) {
		var value T
		err := r.Unmarshal(context.Background(), `{"$envelope":1,"type":"`+name+`","data":`+data+`}`, &value)
		if err != nil {
			require.Empty(t, difference(*new(T), value), "a target is zero after an error")
			return
		}
		requireStable(t, r, value)
	})
}

func FuzzUnmarshalRich(f *testing.F) {
	f.Add(`{"ID":1,"id":2}`)
	f.Add(`{"flag":true,"FLAG":false}`)
	f.Add(`{"maybe":{"First":1,"Second":null},"quoted":"-0","real":"1e3"}`)
	fuzzInto(f, fuzzRich{}, fuzzRich{
		Middle: &Middle{Depth: 3}, Levels: Levels{1}, Numbers: []float64{1.5}, Index: Index{"a": 1},
		Quoted: pointerTo(int64(4)), Color: &Color{1, 2, 3}, Maybe: pointerTo(&Pair[int, []int]{Second: []int{}}),
	})
}

func FuzzUnmarshalInterfaces(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(`{"Any":` + seed + `,"Bag":{"a":` + seed + `},"Figure":` + seed + `}`)
	}
	fuzzInto(f, fuzzInterfaces{}, fuzzInterfaces{
		Any: int8(1), List: []any{nil, []any(nil), map[string]any{"$envelope": "x"}}, Bag: map[string]any{"a": Box{1}},
		Figure: &Disc{2}, Figures: map[string]Figure{"": (*Disc)(nil)},
	})
}

func FuzzUnmarshalRecursive(f *testing.F) {
	fuzzInto(f, fuzzRecursive{}, fuzzRecursive{
		Next: &fuzzRecursive{Children: []fuzzRecursive{{}, {Named: map[string]fuzzRecursive{"a": {}}}}},
		Tree: Tree[any]{Value: Box{1}, Left: &Tree[any]{Value: []any{1.5}}},
	})
}

func FuzzUnmarshalKeys(f *testing.F) {
	f.Add(`{"Ints":{"1":"","+1":""},"Bools":{"true":1,"True":2}}`)
	fuzzInto(f, fuzzKeys{}, fuzzKeys{
		Bools: map[bool]int{true: 1}, Ints: map[int8]string{-1: "a"}, Uints: map[uint64]bool{1 << 63: true},
		Times: map[time.Time]int{vectorNoon: 1}, Codes: map[Code]int{5: 1}, Colors: map[Color][]int{{1, 2, 3}: nil},
		Addresses: map[netip.Addr]int{netip.MustParseAddr("fe80::1%eth0"): 1},
		Nested:    map[Label]map[int]map[string]any{"": {0: {"$envelope": 1.0}}},
	})
}

func FuzzUnmarshalNumbers(f *testing.F) {
	f.Add(`{"Int":1e5,"Rat":"1/3","Float":["0x.8p-999999",1,"ToZero"],"Number":-0.0e-0}`)
	f.Add(`{"URL":"http://h/a b","Time":"2024-02-29T12:00:00+01:60","Raw":{"a" : [ null]}}`)
	fuzzInto(f, fuzzNumbers{}, fuzzNumbers{
		Int: *big.NewInt(-5), IntP: new(big.Int).Lsh(big.NewInt(1), 300), Rat: *big.NewRat(1, -3), Float: *big.NewFloat(-1.1),
		Number: "1e5", Complex: 1i, Float32: 3.4e38, Time: vectorNoon, URL: &url.URL{Path: "/a b"}, Raw: json.RawMessage(`[1]`),
		Prefix: netip.MustParsePrefix("::/0"), Port: netip.MustParseAddrPort("[::1]:80"),
	})
}

func FuzzUnmarshalBytes(f *testing.F) {
	f.Add(`{"Bytes":"AB==","Blob":"AAAA\n","Array":[1,2,3,256]}`)
	fuzzInto(f, fuzzBytes{}, fuzzBytes{
		Bytes: []byte{}, Blob: Blob("abc"), Arrays: [][2][2]uint8{{}}, Matrix: [2]*[2]bool{nil, {true}}, Levels: []Level{1},
	})
}

// fuzzSeeds are envelopes that go into interfaces.
var fuzzSeeds = []string{
	`{"$envelope":1,"type":"library.Box","data":{"Side":1}}`,
	`{"$envelope":1,"type":"*library.Disc","data":{"Radius":"NaN"}}`,
	`{"$envelope":1,"type":"[]library.Figure","data":[{"$envelope":1,"type":"library.Box","data":{}},null]}`,
	`{"$envelope":1,"type":"library.Sketch","data":{"Extra":{"$envelope":1,"type":"[]library.Sketch","data":[{}]}}}`,
	`{"$envelope":1,"type":"map[time.Time][2]*any","data":{"2024-02-29T12:00:00Z":[null,{"a":[1]}]}}`,
	`{"$envelope":1,"type":"map[bool]url.URL","data":{"true":"http://h/a b"}}`,
	`{"$envelope":1,"type":"**json.RawMessage","data":{"a": 1}}`,
	`{"$envelope":1,"type":"[]big.Float","data":[["0x.cp+2",53,"ToZero"]]}`,
	`{"$envelope":1,"type":"library.Figure","data":{"$envelope":1,"type":"any","data":null}}`,
	`{"$envelope":1,"type":"any","data":{"$envelope":1,"type":"any","data":[{"$envelope":1,"type":"any","data":1}]}}`,
}
