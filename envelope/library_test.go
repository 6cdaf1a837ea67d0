package envelope_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// The types below stand for those that applications define; generated types are made up of them.

type (
	Flag    bool
	Label   string
	Level   uint8
	Count   int32
	Ratio   float32
	Blob    []byte
	Levels  []Level
	Labels  []Label
	Grid    [2][2]int8
	Index   map[Label]Level
	Numbers []float64
	Nested  []Nested
	Dict    map[string]Dict
)

// Fields that embedding hides, in every way that encoding/json tells apart.
type (
	Base struct {
		ID   int
		Name string
	}
	Other struct {
		ID   int
		Note string `json:"Name"`
	}
	Middle struct {
		Other
		Depth uint8
	}
	Conflict struct {
		Base
		Other
		Extra int
	}
	Shadow struct {
		Base
		ID string
	}
	Deeper struct {
		*Base
		Middle
	}
	Tagged struct {
		Base `json:"base"`
		Size int
	}
	hiddenBase struct {
		Visible int
		Name    string
	}
	Embeds struct {
		hiddenBase
		More bool
	}
	Diamond struct {
		Left
		Right
	}
	Left  struct{ Base }
	Right struct{ *Base }
)

// Nothing is another name of the built-in type without fields, so that it can be embedded.
type Nothing = struct{}

// Cased has names that differ in case only.
type Cased struct {
	Value  int    `json:"value"`
	VALUE  string `json:"VALUE"`
	Kelvin int    `json:"kelvin"`
	Street string `json:"straße"`
}

// Options has every option of struct tags that values are not lost by.
type Options struct {
	Number   int     `json:"number,string"`
	Real     float64 `json:",string"`
	Text     string  `json:"text,string"`
	Truth    bool    `json:",string"`
	Pointer  *int64  `json:",string"`
	Odd      int     `json:"a b/c"`
	Brackets string  `json:"<&>"`
}

// Generic and recursive types.
type (
	Pair[A, B any] struct {
		First  A
		Second B
	}
	Tree[T any] struct {
		Value       T
		Left, Right *Tree[T]
	}
	Node struct {
		Value    int
		Next     *Node            `json:",omitempty"`
		Children []Node           `json:"children"`
		Named    map[string]*Node `json:"named"`
	}
)

// Temperature has marshalers for JSON, and nothing that can be seen without them.
type Temperature struct{ milli int32 }

func (t Temperature) MarshalJSON() ([]byte, error) { return json.Marshal(t.milli) }
func (t *Temperature) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &t.milli)
}

// Version has marshalers for JSON, both on its pointer.
type Version struct{ Major, Minor uint16 }

func (v *Version) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"v":[%d,%d]}`, v.Major, v.Minor), nil
}

func (v *Version) UnmarshalJSON(data []byte) error {
	var form struct{ V [2]uint16 }
	err := json.Unmarshal(data, &form)
	v.Major, v.Minor = form.V[0], form.V[1]
	return err
}

// Color has marshalers for text.
type Color struct{ R, G, B uint8 }

func (c Color) MarshalText() ([]byte, error) {
	return []byte(hex.EncodeToString([]byte{c.R, c.G, c.B})), nil
}

func (c *Color) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != 3 {
		return errors.New("not a color")
	}
	c.R, c.G, c.B = raw[0], raw[1], raw[2]
	return nil
}

// Code is a number with marshalers for text.
type Code int64

func (c Code) MarshalText() ([]byte, error) { return strconv.AppendInt([]byte("c"), int64(c), 36), nil }
func (c *Code) UnmarshalText(text []byte) error {
	if len(text) == 0 || text[0] != 'c' {
		return errors.New("not a code")
	}
	n, err := strconv.ParseInt(string(text[1:]), 36, 64)
	*c = Code(n)
	return err
}

// Wrapped gets all that it has from what it embeds, marshalers too.
type Wrapped struct{ Color }

// Figure is an interface that some of the types above implement.
type Figure interface{ Area() float64 }

type (
	Box  struct{ Side float64 }
	Disc struct{ Radius float64 }
	// Sketch holds interfaces in all places that can hold them.
	Sketch struct {
		Main   Figure
		All    []Figure
		ByName map[string]Figure
		Pair   [2]Figure
		Extra  any
		Bag    map[string]any
		List   []any
	}
)

func (s Box) Area() float64   { return s.Side * s.Side }
func (c *Disc) Area() float64 { return 3 * c.Radius * c.Radius }

// libraryTypes are those that encoding/json writes and reads wherever they stand.
var libraryTypes = []reflect.Type{
	reflect.TypeFor[Flag](), reflect.TypeFor[Label](), reflect.TypeFor[Level](), reflect.TypeFor[Count](),
	reflect.TypeFor[Ratio](), reflect.TypeFor[Blob](), reflect.TypeFor[Levels](), reflect.TypeFor[Labels](),
	reflect.TypeFor[Grid](), reflect.TypeFor[Index](), reflect.TypeFor[Numbers](), reflect.TypeFor[Nested](),
	reflect.TypeFor[Dict](),
	reflect.TypeFor[Base](), reflect.TypeFor[Middle](), reflect.TypeFor[Conflict](), reflect.TypeFor[Shadow](),
	reflect.TypeFor[Deeper](), reflect.TypeFor[Tagged](), reflect.TypeFor[Embeds](), reflect.TypeFor[Diamond](),
	reflect.TypeFor[Cased](), reflect.TypeFor[Options](),
	reflect.TypeFor[Pair[int8, string]](), reflect.TypeFor[Pair[*Label, map[Code]Grid]](),
	reflect.TypeFor[Tree[int]](), reflect.TypeFor[Tree[Pair[Label, *bool]]](), reflect.TypeFor[Node](),
	reflect.TypeFor[Temperature](), reflect.TypeFor[Color](), reflect.TypeFor[Code](), reflect.TypeFor[Wrapped](),
}
