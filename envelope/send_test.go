package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestUnregisteredTypesAreRefusedWithTheCallThatRegistersThem(t *testing.T) {
	type stranger struct{ A int }
	r := newShop(t)
	text := `type envelope_test.stranger is not registered: call envelope.MustRegister[envelope_test.stranger](registry, "envelope_test.stranger")`
	requireRefused(t, r, stranger{}, envelope.ErrUnregistered, text)
	requireRefused(t, r, []*stranger{}, envelope.ErrUnregistered, text)
	requireRefused(t, r, shopOrder{Extra: map[string]any{"k": []any{1.5, &stranger{}}}}, envelope.ErrUnregistered,
		"shop.Order.Extra[…][1]: "+text)
	requireRefused(t, r, shopOrder{Extra: struct{ A int }{}}, envelope.ErrUnregistered,
		"shop.Order.Extra: anonymous structs have no name to travel under: "+
			`define a type and call envelope.MustRegister[T](registry, "…")`)
}

func TestUnregisteredNamedBasicTypesAreRefusedInInterfaces(t *testing.T) {
	r := newShop(t)
	text := `type envelope_test.shopStatus is not registered: call envelope.MustRegister[envelope_test.shopStatus](registry, "envelope_test.shopStatus")`
	requireRefused(t, r, shopStatus("open"), envelope.ErrUnregistered, text)
	requireRefused(t, r, shopOrder{Extra: shopStatus("open")}, envelope.ErrUnregistered, "shop.Order.Extra: "+text)

	require.NoError(t, envelope.Register[shopStatus](r, "shop.Status"))
	assert.Equal(t, any(shopStatus("open")), roundTripAny(t, r, shopStatus("open")))
	assert.Equal(t, any([]shopStatus{"open"}), roundTripAny(t, r, []shopStatus{"open"}))
}

func TestCyclesAreRefused(t *testing.T) {
	type node struct {
		Next  *node
		Any   any
		Slice []node
		Map   map[string]node
	}
	r := newShop(t)
	require.NoError(t, envelope.Register[node](r, "test.Node"))
	byPointer := &node{}
	byPointer.Next = byPointer
	bySlice := node{Slice: make([]node, 1)}
	bySlice.Slice[0] = bySlice
	byMap := node{Map: map[string]node{}}
	byMap.Map["k"] = byMap
	byList := []any{nil}
	byList[0] = byList
	byAnyMap := map[string]any{}
	byAnyMap["k"] = byAnyMap
	byAny := &node{}
	byAny.Any = []any{byAny}
	for name, cycle := range map[string]any{
		"pointer": byPointer, "slice": bySlice, "map": byMap, "list": byList, "any map": byAnyMap, "any": byAny,
	} {
		_, err := r.Marshal(context.Background(), cycle)
		require.ErrorIs(t, err, envelope.ErrUnsupported, name)
		require.ErrorContains(t, err, "value contains itself", name)
		require.Less(t, len(err.Error()), 1000, "paths are cut short")
	}
}

func TestDeepValuesWithoutCyclesAreCarried(t *testing.T) {
	type node struct {
		Next *node
		Same *node
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[node](r, "test.Node"))
	shared := &node{}
	sent := &node{}
	for range 900 {
		sent = &node{Next: sent, Same: shared}
	}
	assert.Equal(t, sent, roundTrip(t, r, sent))
}

func TestInvalidUTF8IsRefused(t *testing.T) {
	r := newShop(t)
	broken := "a\xffb"
	requireRefused(t, r, shopOrder{Lines: []shopLine{{}, {Note: &broken}}}, envelope.ErrUnsupported,
		"shop.Order.Lines[1].Note: invalid UTF-8")
	requireRefused(t, r, &shopOrder{Labels: map[string]string{broken: ""}}, envelope.ErrUnsupported,
		"shop.Order.Labels[…]: invalid UTF-8")
	requireRefused(t, r, []string{"", broken}, envelope.ErrUnsupported, "[]string[1]: invalid UTF-8")
	requireRefused(t, r, map[string]any{broken: 1}, envelope.ErrUnsupported, "map[string]any[…]: invalid UTF-8")
	requireRefused(t, r, map[string]int{broken: 1}, envelope.ErrUnsupported, "map[string]int[…]: invalid UTF-8")
	requireRefused(t, r, "\xed\xa0\x80", envelope.ErrUnsupported, "string: invalid UTF-8")
}

func TestPointersToNilAreRefused(t *testing.T) {
	r := newShop(t)
	text := "pointer to a nil value would arrive as a nil pointer"
	requireRefused(t, r, pointerTo((*int)(nil)), envelope.ErrUnsupported, "**int: "+text)
	requireRefused(t, r, pointerTo([]int(nil)), envelope.ErrUnsupported, "*[]int: "+text)
	requireRefused(t, r, []any{pointerTo(map[string]int(nil))}, envelope.ErrUnsupported,
		"[]any[0].(*map[string]int): "+text)
	requireRefused(t, r, pointerTo(json.Number("")), envelope.ErrUnsupported, "*json.Number: "+text)
	assert.Equal(t, pointerTo(pointerTo(1)), roundTrip(t, r, pointerTo(pointerTo(1))))
}

func TestTimesThatTextCannotCarryAreRefused(t *testing.T) {
	r := newShop(t)
	at := func(offset int) time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", offset)) }
	requireRefused(t, r, shopOrder{Placed: at(3601)}, envelope.ErrUnsupported,
		"shop.Order.Placed: time has an offset with seconds")
	requireRefused(t, r, at(-59), envelope.ErrUnsupported, "time.Time: time has an offset with seconds")
	requireRefused(t, r, at(24*60*60), envelope.ErrUnsupported, "time.Time: time has an offset of a day or more")
	requireRefused(t, r, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), envelope.ErrUnsupported,
		"time.Time: time has a year outside of 0 to 9999")
	requireRefused(t, r, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), envelope.ErrUnsupported,
		"time.Time: time has a year outside of 0 to 9999")
	requireRefused(t, r, map[time.Time]int{at(1): 1}, envelope.ErrUnsupported,
		"map[time.Time]int[…]: time has an offset with seconds")
}

func TestURLsThatDoNotParseBackAreRefused(t *testing.T) {
	r := newShop(t)
	for _, address := range []url.URL{
		{Scheme: "a b"}, {Path: "//x"}, {Host: "a/b"}, {RawQuery: "a#b"}, {Path: "a", Opaque: "b"}, {Scheme: "HTTP", Host: "x"},
	} {
		requireRefused(t, r, address, envelope.ErrUnsupported, "url.URL: url.URL does not parse back to itself")
	}
}

func TestInvalidAddressesAreRefused(t *testing.T) {
	r := newShop(t)
	requireRefused(t, r, netip.AddrPortFrom(netip.Addr{}, 80), envelope.ErrUnsupported,
		"netip.AddrPort: invalid netip.AddrPort has no text that reads back as itself")
	requireRefused(t, r, netip.PrefixFrom(netip.MustParseAddr("1.2.3.4"), 99), envelope.ErrUnsupported,
		"netip.Prefix: invalid netip.Prefix has no text that reads back as itself")
	requireRefused(t, r, map[netip.AddrPort]int{netip.AddrPortFrom(netip.Addr{}, 80): 1}, envelope.ErrUnsupported,
		"map[netip.AddrPort]int[…]: invalid netip.AddrPort has no text that reads back as itself")
}

func TestInvalidJSONIsRefused(t *testing.T) {
	r := newShop(t)
	for _, raw := range []string{"", "{", "1 2", "nul", `"\ud800"`, "\"\xff\"", `{"a":}`, "01"} {
		_, err := r.Marshal(context.Background(), []json.RawMessage{json.RawMessage(raw)})
		require.ErrorIs(t, err, envelope.ErrUnsupported, raw)
		require.ErrorContains(t, err, "[]json.RawMessage[0]: not well-formed JSON", raw)
	}
	for _, number := range []json.Number{"abc", "1.", " 1", "+1", "0x1", "NaN"} {
		requireRefused(t, r, number, envelope.ErrUnsupported, "json.Number: json.Number is not a JSON number")
	}
}

type folded string

func (folded) MarshalText() ([]byte, error) { return []byte("same"), nil }
func (*folded) UnmarshalText([]byte) error  { return nil }

func TestKeysWithTheSameTextAreRefused(t *testing.T) {
	r := newShop(t)
	require.NoError(t, envelope.Register[folded](r, "test.Folded"))
	requireRefused(t, r, map[folded]int{"a": 1, "b": 2}, envelope.ErrUnsupported,
		"map[test.Folded]int[…]: two keys have the same text")
}

type shadowBase struct {
	ID   string
	Note string
}

func TestHiddenFieldsAreRefusedUnlessZero(t *testing.T) {
	type shadowing struct {
		shadowBase
		ID string
	}
	type left struct{ shadowBase }
	type right struct{ shadowBase }
	type both struct {
		left
		right
		Own int
	}
	type lost struct {
		*Covered
		ID string
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[shadowing](r, "test.Shadowing"))
	require.NoError(t, envelope.Register[both](r, "test.Both"))
	require.NoError(t, envelope.Register[lost](r, "test.Lost"))
	sent := shadowing{ID: "outer", shadowBase: shadowBase{Note: "n"}}
	assert.Equal(t, sent, roundTrip(t, r, sent))
	text := "another field hides this one, so its value would be dropped"
	sent.shadowBase.ID = "inner"
	requireRefused(t, r, sent, envelope.ErrUnsupported, "test.Shadowing.shadowBase.ID: "+text)
	assert.Equal(t, both{Own: 1}, roundTrip(t, r, both{Own: 1}))
	requireRefused(t, r, both{left: left{shadowBase{ID: "l"}}}, envelope.ErrUnsupported, "test.Both.left.shadowBase.ID: "+text)
	requireRefused(t, r, both{right: right{shadowBase{ID: "r"}}}, envelope.ErrUnsupported, "test.Both.right.shadowBase: "+text)
	assert.Equal(t, lost{ID: "x"}, roundTrip(t, r, lost{ID: "x"}))
	requireRefused(t, r, lost{Covered: &Covered{}}, envelope.ErrUnsupported,
		"test.Lost.Covered: embedded pointer without fields to show would be dropped")
	requireRefused(t, r, lost{Covered: &Covered{ID: "c"}}, envelope.ErrUnsupported, "test.Lost.Covered.ID: "+text)
}

func TestEmbeddedEmptyStructsArriveOrAreRefused(t *testing.T) {
	type pointing struct {
		*Nothing `json:",omitempty"`
	}
	type valued struct {
		Nothing
		ID string
	}
	type named struct {
		*Nothing `json:"nothing"`
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[pointing](r, "test.Pointing"))
	require.NoError(t, envelope.Register[valued](r, "test.Valued"))
	require.NoError(t, envelope.Register[named](r, "test.Named"))
	for _, value := range []any{pointing{}, valued{ID: "x"}, named{}, named{Nothing: &Nothing{}}} {
		theirs, err := json.Marshal(value)
		require.NoError(t, err)
		assert.Contains(t, marshal(t, r, value), `"data":`+string(theirs)+`}`)
		assert.Equal(t, value, roundTripAny(t, r, value))
	}
	requireRefused(t, r, pointing{Nothing: &Nothing{}}, envelope.ErrUnsupported,
		"test.Pointing.Nothing: embedded pointer without fields to show would be dropped: "+
			"name the field by a tag `json:\"name\"`")
}

// Covered is embedded by pointer where an outer field hides its only one.
type Covered struct{ ID string }

type moody struct{ Secret string }

var errMood = errors.New("not today: hunter2")

func (moody) MarshalJSON() ([]byte, error) { return nil, errMood }
func (*moody) UnmarshalJSON([]byte) error  { return errMood }

func TestErrorsOfMarshalersAreWrappedButNotShown(t *testing.T) {
	r := newShop(t)
	require.NoError(t, envelope.Register[moody](r, "test.Moody"))
	_, err := r.Marshal(context.Background(), []moody{{Secret: "hunter2"}})
	require.ErrorIs(t, err, errMood)
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.EqualError(t, err, "[]test.Moody[0]: MarshalJSON of envelope_test.moody failed")

	var target moody
	err = r.Unmarshal(context.Background(), `{"$envelope":1,"type":"test.Moody","data":1}`, &target)
	require.ErrorIs(t, err, errMood)
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	require.EqualError(t, err, "test.Moody: UnmarshalJSON of envelope_test.moody failed")
}

func TestErrorsCarryTypeAndPath(t *testing.T) {
	r := newShop(t)
	_, err := r.Marshal(context.Background(), &shopOrder{Lines: []shopLine{{SKU: "\xff"}}})
	var located *envelope.Error
	require.ErrorAs(t, err, &located)
	assert.Equal(t, "shop.Order", located.Type)
	assert.Equal(t, ".Lines[0].SKU", located.Path)
	assert.ErrorContains(t, located.Err, "invalid UTF-8")
	assert.ErrorIs(t, located.Err, envelope.ErrUnsupported)
}

func TestErrorsNeverShowValues(t *testing.T) {
	type secrets struct {
		Small  int8
		URL    url.URL
		Time   time.Time
		Rat    big.Rat
		Addr   netip.Addr
		Number json.Number
		Map    map[int8]string
		Float  float32
		Bytes  []byte
	}
	r := newShop(t)
	require.NoError(t, envelope.Register[secrets](r, "test.Secrets"))
	for _, member := range []string{
		`"Small":77777777`, `"Small":"77777777"`, `"URL":"http://77777777 /%zz"`, `"Time":"77777777"`, `"Rat":"77777777/x"`,
		`"Addr":"77777777"`, `"Number":"77777777"`, `"Map":{"77777777":""}`, `"Float":77777777e99`, `"Bytes":"77777777*"`,
		`"Map":{"1":77777777}`,
	} {
		var target secrets
		err := r.Unmarshal(context.Background(), `{"$envelope":1,"type":"test.Secrets","data":{`+member+`}}`, &target)
		require.Error(t, err, member)
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			require.NotContains(t, cause.Error(), "77777777", member)
		}
	}
}
