package wirelock_test

import (
	"encoding/json"
	"math"
	"math/big"
	"time"

	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types of fields in the catalogue.
type (
	line struct {
		SKU string `json:"sku"`
		Qty int64  `json:"qty"`
	}
	article struct {
		SKU string `json:"sku"`
		Qty int64  `json:"qty"`
	}
	lineWithText struct {
		SKU string `json:"sku"`
		Qty string `json:"qty"`
	}
	lineWithNote struct {
		SKU  string `json:"sku"`
		Qty  int64  `json:"qty"`
		Note string `json:"note,omitempty"`
	}
	narrowLine struct {
		SKU string `json:"sku"`
		Qty int32  `json:"qty"`
	}
	base       struct{ ID string }
	status     string
	statusCode int
	node       struct {
		Name string  `json:"name"`
		Next []*node `json:"next"`
	}
	labelledNode struct {
		Name  string          `json:"name"`
		Next  []*labelledNode `json:"next"`
		Label string          `json:"label"`
	}
	retypedNode struct {
		Name int64          `json:"name"`
		Next []*retypedNode `json:"next"`
	}
	leftNode struct {
		Name string    `json:"name"`
		Left *leftNode `json:"left"`
	}
	rightNode struct {
		Name  string     `json:"name"`
		Right *rightNode `json:"right"`
	}
	tree []tree
	// ownLine writes itself.
	ownLine struct{ Text string }
)

func (o ownLine) MarshalJSON() ([]byte, error) { return json.Marshal([]string{o.Text}) }

func (o *ownLine) UnmarshalJSON(data []byte) error {
	var text [1]string
	err := json.Unmarshal(data, &text)
	o.Text = text[0]
	return err
}

// Orders in the catalogue.
type (
	idOnly struct {
		ID string `json:"id"`
	}
	withQty struct {
		ID  string `json:"id"`
		Qty int64  `json:"qty"`
	}
	withQtyFirst struct {
		Qty int64  `json:"qty"`
		ID  string `json:"id"`
	}
	withQuantity struct {
		ID       string `json:"id"`
		Quantity int64  `json:"quantity"`
	}
	withCapitalQty struct {
		ID  string `json:"id"`
		Qty int64  `json:"Qty"`
	}
	withQtyAsNumber struct {
		ID     string `json:"id"`
		Number int64  `json:"qty"`
	}
	withCount32 struct {
		ID    string `json:"id"`
		Count int32  `json:"count"`
	}
	withOptionalQty struct {
		ID  string `json:"id"`
		Qty int64  `json:"qty,omitempty"`
	}
	withQtyIfNotZero struct {
		ID  string `json:"id"`
		Qty int64  `json:"qty,omitzero"`
	}
	withQuotedQty struct {
		ID  string `json:"id"`
		Qty int64  `json:"qty,string"`
	}
	withTextQty struct {
		ID  string `json:"id"`
		Qty string `json:"qty"`
	}
	withHidden struct {
		ID     string `json:"id"`
		Qty    int64  `json:"qty"`
		Hidden string `json:"-"`
	}
	withUnexported struct {
		ID  string `json:"id"`
		Qty int64  `json:"qty"`
		mu  int
	}
	withBase struct {
		base
		Qty int64
	}
	withBasePointer struct {
		*Base
		Qty int64
	}
	withExportedBase struct {
		Base
		Qty int64
	}
	withNamedBase struct {
		Base Base `json:"base"`
		Qty  int64
	}
	withoutBase struct {
		ID  string
		Qty int64
	}
	withLine struct {
		Line line `json:"line"`
	}
	position struct {
		Article string `json:"article"`
		Count   int64  `json:"count"`
	}
	withPosition struct {
		Position position `json:"position"`
	}
	withTime struct {
		ID string    `json:"id"`
		At time.Time `json:"at,omitzero"`
	}
	withTimeAlways struct {
		ID string    `json:"id"`
		At time.Time `json:"at"`
	}
)

// Base is embedded.
type Base struct{ ID string }

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

var breakingFields = []change{
	{name: "field renamed in its tag", old: of(list(withQty{"o", 3})), new: of(list(withQuantity{"o", 3}))},
	{name: "field renamed with the members of its struct", old: of(list(withLine{line{"s", 3}})), new: of(list(withPosition{position{"s", 3}}))},
	{name: "field renamed and widened", old: of(list(withCount32{"o", 3})), new: of(list(withQuantity{"o", 3}))},
	{name: "integer to text", old: field[int64](5), new: field("5")},
	{name: "text to integer", old: field("text"), new: field[int64](5)},
	{name: "integer narrowed", old: field[int64](1 << 40), new: field[int32](5)},
	{name: "integer narrowed to a byte", old: field(1000), new: field[int8](5)},
	{name: "integer loses its sign", old: field[int32](-5), new: field[uint32](5)},
	{name: "integer gets a sign", old: field[uint32](math.MaxUint32), new: field[int32](5)},
	{name: "float to integer", old: field(1.5), new: field[int64](5)},
	{name: "large integer to float", old: field[int64](1<<60 + 1), new: field(1.5)},
	{name: "float narrowed", old: field(1e300), new: field[float32](1.5)},
	{name: "boolean to integer", old: field(true), new: field[int64](1)},
	{name: "boolean to text", old: field(true), new: field("true")},
	{name: "enum of texts to enum of numbers", old: field(status("open")), new: field(statusCode(1))},
	{name: "pointer to value", old: field(pointer("text"), nil), new: field("text")},
	{name: "pointer to struct to struct", old: field(&line{"s", 1}, nil), new: field(line{"s", 1})},
	{name: "pointers in a list to values", old: field([]*line{{"s", 1}, nil}), new: field([]line{{"s", 1}})},
	{name: "list to value", old: field([]string{"a"}), new: field("a")},
	{name: "value to list", old: field("a"), new: field([]string{"a"})},
	{name: "list to array", old: field([]int64{1, 2, 3}), new: field([2]int64{1, 2})},
	{name: "array longer", old: field([2]int64{1, 2}), new: field([3]int64{1, 2, 3})},
	{name: "array shorter", old: field([2]int64{1, 2}), new: field([1]int64{1})},
	{name: "map to list", old: field(map[string]int64{"a": 1}), new: field([]int64{1})},
	{name: "values of a map retyped", old: field(map[string]int64{"a": 1}), new: field(map[string]string{"a": "1"})},
	{name: "keys of a map to numbers", old: field(map[string]int64{"a": 1}), new: field(map[int64]int64{1: 1})},
	{name: "keys of a map narrowed", old: field(map[int64]string{1000: "a"}), new: field(map[int8]string{1: "a"})},
	{name: "struct to text", old: field(line{"s", 1}), new: field("s")},
	{name: "struct to map of texts", old: field(line{"s", 1}), new: field(map[string]string{"sku": "s"})},
	{name: "struct gets marshalers", old: field(line{"s", 1}), new: field(ownLine{"s"})},
	{name: "struct loses marshalers", old: field(ownLine{"s"}), new: field(line{"s", 1})},
	{name: "field of a held struct retyped", old: field(line{"s", 1}), new: field(lineWithText{"s", "1"})},
	{name: "field of a held struct narrowed, in a list", old: field([]line{{"s", 1 << 40}}), new: field([]narrowLine{{"s", 1}})},
	{name: "field of a struct that holds itself retyped", old: of(list(node{"n", []*node{{Name: "m"}}})), new: of(list(retypedNode{5, nil}))},
	{name: "field of a struct that holds itself renamed", old: of(list(leftNode{"n", &leftNode{Name: "m"}})), new: of(list(rightNode{"n", &rightNode{Name: "m"}}))},
	{name: "embedded struct gets a name", old: of(list(withExportedBase{Base{"o"}, 1})), new: of(list(withNamedBase{Base{"o"}, 1}))},
	{name: "named struct is embedded", old: of(list(withNamedBase{Base{"o"}, 1})), new: of(list(withExportedBase{Base{"o"}, 1}))},
	{name: "time to seconds", old: field(noon), new: field[int64](5)},
	{name: "duration to text", old: field(time.Second), new: field("1s")},
	{name: "text to time", old: field("text"), new: field(noon)},
	{name: "text to UUID", old: field("text"), new: field(uuid.Max)},
	{name: "text to bytes", old: field("no base64"), new: field([]byte{1})},
	{name: "bytes to text", old: field([]byte{1}, nil), new: field("a")},
	{name: "bytes to list of numbers", old: field([]byte{1}), new: field([]int64{1})},
	{name: "big integer to integer", old: field(new(big.Int).Lsh(big.NewInt(1), 70)), new: field(pointer[int64](5))},
	{name: "anything to text", old: field[any]("a", 1.5), new: field("a")},
	{name: "large integer to anything", old: field[int64](1<<60 + 1), new: field[any]("a")},
	{name: "option string added to the tag", old: of(list(withQty{"o", 3})), new: of(list(withQuotedQty{"o", 3}))},
	{name: "option string taken from the tag", old: of(list(withQuotedQty{"o", 3})), new: of(list(withQty{"o", 3}))},
	{name: "raw JSON to struct", old: field(json.RawMessage(`[1]`)), new: field(line{"s", 1})},
}

var orderedFields = []change{
	{name: "field removed", old: of(list(withQty{"o", 3})), new: of(list(idOnly{"o"}))},
	{name: "integer widened", old: field[int32](5), new: field[int64](1 << 40)},
	{name: "byte widened to a signed integer", old: field[uint8](200), new: field[int16](-5)},
	{name: "integer to float that holds it", old: field[int32](5), new: field(1.5)},
	{name: "integer to big integer", old: field(pointer[int64](5)), new: field(new(big.Int).Lsh(big.NewInt(1), 70))},
	{name: "float widened", old: field[float32](1.5), new: field(1e300)},
	{name: "value to pointer", old: field("text"), new: field(pointer("text"), nil)},
	{name: "struct to pointer", old: field(line{"s", 1}), new: field(&line{"s", 1}, nil)},
	{name: "values in a list to pointers", old: field([]line{{"s", 1}}), new: field([]*line{{"s", 1}, nil})},
	{name: "array to list", old: field([2]int64{1, 2}), new: field([]int64{1, 2, 3})},
	{name: "time to text", old: field(noon), new: field("soon")},
	{name: "UUID to text", old: field(uuid.Max), new: field("text")},
	{name: "list that holds itself to anything", old: field(tree{{}, {{}}}), new: field[any]("a")},
	{name: "text to anything", old: field("text"), new: field[any](1.5)},
	{name: "anything to raw JSON, from text", old: field("text"), new: field(json.RawMessage(`[1]`))},
	{name: "struct to map of anything", old: field(lineOfTexts{"s", "t"}), new: field(map[string]any{"a": true})},
	{name: "keys of a map widened", old: field(map[int8]string{1: "a"}), new: field(map[int64]string{1000: "a"})},
	{name: "number keys of a map to text", old: field(map[int64]string{1: "a"}), new: field(map[string]string{"a": "a"})},
	{name: "quoted number to text", old: of(list(withQuotedQty{"o", 3})), new: of(list(withTextQty{"o", "three"}))},
	{name: "field of a held struct widened", old: field(narrowLine{"s", 1}), new: field(line{"s", 1 << 40})},
}

// lineOfTexts holds texts alone.
type lineOfTexts struct {
	SKU  string `json:"sku"`
	Name string `json:"name"`
}

var compatibleFields = []change{
	{name: "field added", old: of(list(idOnly{"o"})), new: of(list(withQty{"o", 3}))},
	{name: "optional field added", old: of(list(idOnly{"o"})), new: of(list(withOptionalQty{"o", 3}, withOptionalQty{}))},
	{name: "optional field removed", old: of(list(withOptionalQty{"o", 3}, withOptionalQty{})), new: of(list(idOnly{"o"}))},
	{name: "fields in another order", old: of(list(withQty{"o", 3})), new: of(list(withQtyFirst{3, "o"}))},
	{name: "omitempty to always", old: of(list(withOptionalQty{"o", 3})), new: of(list(withQty{"o", 3}))},
	{name: "always to omitempty", old: of(list(withQty{"o", 3})), new: of(list(withOptionalQty{"o", 3}))},
	{name: "omitempty to omitzero", old: of(list(withOptionalQty{"o", 3})), new: of(list(withQtyIfNotZero{"o", 3}))},
	{name: "time omitted when zero", old: of(list(withTimeAlways{"o", noon})), new: of(list(withTime{"o", noon}))},
	{name: "time always there", old: of(list(withTime{"o", noon})), new: of(list(withTimeAlways{"o", noon}))},
	{name: "Go field renamed, tag kept", old: of(list(withQty{"o", 3})), new: of(list(withQtyAsNumber{"o", 3}))},
	{name: "name in another case", old: of(list(withQty{"o", 3})), new: of(list(withCapitalQty{"o", 3}))},
	{name: "field added that does not travel", old: of(list(withQty{"o", 3})), new: of(list(withHidden{"o", 3, "h"}))},
	{name: "unexported field added and ignored", old: of(list(withQty{"o", 3})),
		new: of(list(withUnexported{"o", 3, 1}), envelope.IgnoreUnexported())},
	{name: "embedded struct written out", old: of(list(withBase{base{"o"}, 3})), new: of(list(withoutBase{"o", 3}))},
	{name: "fields gathered in an embedded struct", old: of(list(withoutBase{"o", 3})), new: of(list(withExportedBase{Base{"o"}, 3}))},
	{name: "embedded struct behind a pointer", old: of(list(withExportedBase{Base{"o"}, 3})), new: of(list(withBasePointer{&Base{"o"}, 3}))},
	{name: "integer gets a defined type", old: field[int](5), new: field(statusCode(5))},
	{name: "text gets a defined type", old: field("open"), new: field(status("open"))},
	{name: "defined type to text", old: field(status("open")), new: field("open")},
	{name: "int to int64", old: field(5), new: field[int64](math.MaxInt)},
	{name: "nanoseconds to duration", old: field[int64](5), new: field(time.Second)},
	{name: "keys of a map get a defined type", old: field(map[string]int64{"a": 1}), new: field(map[status]int64{"a": 1})},
	{name: "elements get a defined type", old: field([]string{"a"}), new: field([]status{"a"})},
	{name: "held struct renamed", old: field(line{"s", 1}), new: field(article{"s", 1})},
	{name: "held struct without a name", old: field(line{"s", 1}), new: field(struct {
		SKU string `json:"sku"`
		Qty int64  `json:"qty"`
	}{"s", 1})},
	{name: "optional field added to a held struct", old: field([]line{{"s", 1}}), new: field([]lineWithNote{{"s", 1, "n"}, {"s", 1, ""}})},
	{name: "field added to a struct that holds itself", old: of(list(node{"n", []*node{{Name: "m"}}})),
		new: of(list(labelledNode{"n", []*labelledNode{{Name: "m"}}, "l"}))},
	{name: "list of structs to list of others", old: field([]line{{"s", 1}}), new: field([]article{{"s", 1}})},
}
