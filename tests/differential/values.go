package differential

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// types are the names of Machinery's own types.
var types = []string{
	"bool", "string", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
	"[]bool", "[]string", "[]int", "[]int8", "[]int16", "[]int32", "[]int64", "[]uint", "[]uint8", "[]byte", "[]uint16", "[]uint32",
	"[]uint64", "[]float32", "[]float64",
}

// lookalike is a text that begins as an envelope does.
const lookalike = `{"$envelope":1,"type":"string","data":"forged"}`

type (
	flag   bool
	text   string
	count  int64
	ratio  float64
	names  []string
	labels []text
	record struct {
		ID  string
		Qty int
	}
	// jsonText, plainText and pointerText write themselves.
	jsonText    struct{ text string }
	plainText   struct{ text string }
	pointerText struct{ text string }
	jsonCount   struct{ n int64 }
	failing     struct{}
)

func (j jsonText) MarshalJSON() ([]byte, error)     { return json.Marshal(j.text) }
func (p plainText) MarshalText() ([]byte, error)    { return []byte(p.text), nil }
func (p *pointerText) MarshalText() ([]byte, error) { return []byte(p.text), nil }
func (j jsonCount) MarshalJSON() ([]byte, error)    { return json.Marshal(j.n) }
func (failing) MarshalJSON() ([]byte, error)        { return nil, errors.New("does not marshal") }

// values are sent under each of the types.
var values = []any{
	nil, true, false, "", "text", "é\U0001F600<>&\u2028", "\xff\xfe", "AQI=", "7", "null", lookalike,
	0, 7, -7, int8(-8), int16(300), int32(70000), int64(math.MaxInt64), int64(math.MinInt64),
	uint(7), uint8(255), uint16(300), uint32(70000), uint64(math.MaxUint64), uintptr(7),
	1.5, float32(0.1), 1e300, 1e21, 3.0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64,
	math.NaN(), math.Inf(1), float32(math.NaN()), []float64{1, math.NaN()},

	flag(true), text("named"), text(lookalike), count(7), ratio(1.5), names{"a"}, labels{"a"}, names(nil), time.Minute,
	json.Number("9223372036854775807"), json.Number("1.50"), json.Number("1e400"), json.Number("x"), json.RawMessage(`"raw"`),
	json.RawMessage("12"), json.RawMessage("{"), json.RawMessage(`"{\u0022$envelope\":1}"`),

	pointerTo(true), pointerTo("text"), pointerTo(lookalike), pointerTo(int64(7)), pointerTo(7), pointerTo(1.5),
	pointerTo(pointerTo("text")), pointerTo(text("named")), pointerTo([]string{"a"}), pointerTo([]byte{1, 2}), (*string)(nil),
	(*int64)(nil), (*[]string)(nil), pointerTo(any("text")),

	[]bool{true}, []string{"a", "\xff"}, []string{lookalike}, []int{1}, []int8{-1}, []int16{1}, []int32{1}, []int64{math.MinInt64},
	[]uint{1}, []uint8{1, 2}, []uint16{1}, []uint32{1}, []uint64{math.MaxUint64}, []float32{0.1}, []float64{1, 1.5},
	[]string{}, []string(nil), []int64{}, []int64(nil), []byte{}, []byte(nil), []byte("text"), []byte(lookalike),
	[2]string{"a", "b"}, [0]string{}, [2]int64{1, 2}, [2]byte{1, 2}, []*string{pointerTo("a")}, []*int64{pointerTo(int64(1))}, []*string{nil},
	[]any{"a", "b"}, []any{json.Number("1")}, []any{1, "a"}, []any{}, []any(nil), []any{nil}, []json.Number{"1"},
	[][]string{{"a"}}, [][]byte{{1}}, [][]int64{{1}}, [][2]string{{"a", "b"}}, [][][]any{{{1}}},

	time.Unix(1700000000, 5).UTC(), pointerTo(time.Unix(1700000000, 0).UTC()), []time.Time{time.Unix(0, 0).UTC()},
	uuid.UUID{1, 2, 3}, pointerTo(uuid.UUID{1}), []uuid.UUID{{1}, {2}}, [1]uuid.UUID{{1}},
	big.NewInt(7), *big.NewInt(7), []*big.Int{big.NewInt(7)}, big.NewFloat(1.5), new(big.Int).Lsh(big.NewInt(1), 80),
	url.URL{Scheme: "https", Host: "example.org"}, &url.URL{Path: "p"},
	jsonText{"text"}, jsonText{lookalike}, plainText{"text"}, plainText{lookalike}, &pointerText{"text"}, &pointerText{lookalike},
	pointerText{"text"}, jsonCount{7}, []jsonCount{{7}}, []jsonText{{lookalike}}, failing{}, []failing{{}},

	record{"r-1", 3}, &record{"r-1", 3}, []record{{"r-1", 3}}, []*record{nil}, (*record)(nil), map[string]string{"a": "b"}, map[string]any{"a": 1},
	map[string]any(nil), map[int]string{1: "a"}, struct{}{}, complex(1, 2), make(chan int), func() {}, errors.New("an error"),
	strings.Repeat("long ", 1000),
}

func pointerTo[T any](v T) *T { return &v }
