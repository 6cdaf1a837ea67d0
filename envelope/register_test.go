package envelope_test

import (
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// registers returns the error of registering T under a name of its own.
func registers[T any](opts ...envelope.TypeOption) error {
	return envelope.Register[T](envelope.NewRegistry(), "test.Subject", opts...)
}

func requireUnsupported(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	requireFault(t, err, text)
}

func requireInvalid(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorIs(t, err, envelope.ErrRegistration)
	require.ErrorContains(t, err, text)
}

func TestChannelsAndFunctionsAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type withChannel struct{ Done chan int }
	type withFunction struct{ Lines []struct{ Run func() } }
	type channel chan int
	requireUnsupported(t, registers[withChannel](), "test.Subject.Done: chan values cannot be carried")
	requireUnsupported(t, registers[withFunction](), "test.Subject.Lines[].Run: func values cannot be carried")
	requireUnsupported(t, registers[channel](), "test.Subject: chan values cannot be carried")
}

func TestUnexportedFieldsAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type secret struct {
		Name string
		key  string
	}
	type hidden struct{ name string }
	type embedding struct {
		hidden
		ID int
	}
	type dashed struct {
		Name string
		lock *sync.Mutex `json:"-"`
		_    int
	}
	text := ": unexported field would be dropped: call envelope.MustRegister[envelope_test."
	requireUnsupported(t, registers[secret](), "test.Subject.key"+text+"secret](registry, \"test.Subject\", envelope.IgnoreUnexported()) "+
		"to leave it out, or with envelope.Convert(to, from) to carry it")
	requireUnsupported(t, registers[embedding](), "test.Subject.hidden.name"+text+"embedding](registry, \"test.Subject\", "+
		"envelope.IgnoreUnexported()) to leave it out, or with envelope.Convert(to, from) to carry it")
	require.NoError(t, registers[dashed]())
	require.Nil(t, dashed{}.lock)
	_, _ = secret{key: ""}.key, embedding{hidden: hidden{name: ""}}.name
}

func TestIgnoreUnexportedLeavesFieldsOut(t *testing.T) {
	t.Parallel()
	type cached struct {
		Name  string
		cache map[string]int
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[cached](r, "test.Cached", envelope.IgnoreUnexported()))
	arrived := roundTrip(t, r, cached{Name: "n", cache: map[string]int{"a": 1}})
	assert.Equal(t, cached{Name: "n"}, arrived)
}

type outward struct{ A int }

func (outward) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type inward struct{ A int }

func (*inward) UnmarshalText([]byte) error { return nil }

func TestMarshalersThatWorkOneWayOnlyAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	requireUnsupported(t, registers[outward](),
		"test.Subject: envelope_test.outward has MarshalJSON but not UnmarshalJSON")
	requireUnsupported(t, registers[inward](),
		"test.Subject: envelope_test.inward has UnmarshalText but not MarshalText")
}

type overridden struct {
	time.Time
	Note string
}

func (o overridden) MarshalJSON() ([]byte, error) { return json.Marshal(o.Note) }
func (o *overridden) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &o.Note)
}

type halfOverridden struct {
	time.Time
	Note string
}

func (o halfOverridden) MarshalJSON() ([]byte, error) { return json.Marshal(o.Note) }

type genericOverridden[T any] struct {
	*big.Int
	Note T
}

func (o genericOverridden[T]) MarshalJSON() ([]byte, error)     { return json.Marshal(o.Note) }
func (o *genericOverridden[T]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &o.Note) }

type genericPromoted[T any] struct {
	*big.Int
	Note T
}

func TestPromotedMarshalersThatHideFieldsAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type stamped struct {
		time.Time
		Note string
	}
	type deeper struct {
		stamp struct{ time.Time }
		Alone struct{ time.Time }
	}
	type throughPointer struct {
		*big.Int
		Unit string
	}
	type alone struct {
		*big.Int
		Unit string `json:"-"`
	}
	requireUnsupported(t, registers[stamped](),
		"test.Subject.Note: hidden by the marshalers promoted from Time")
	requireUnsupported(t, registers[throughPointer](),
		"test.Subject.Unit: hidden by the marshalers promoted from Int")
	requireUnsupported(t, registers[halfOverridden](),
		"test.Subject.Note: hidden by the marshalers promoted from Time")
	requireUnsupported(t, registers[genericPromoted[int]](),
		"test.Subject.Note: hidden by the marshalers promoted from Int")
	require.NoError(t, registers[alone]())
	require.NoError(t, registers[overridden]())
	require.NoError(t, registers[genericOverridden[string]]())
	require.ErrorContains(t, registers[deeper](), "test.Subject.stamp: unexported field")
	_ = deeper{}.stamp
}

func TestEmbeddedPointersToUnexportedStructsAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type base struct{ ID int }
	type derived struct {
		*base
		Name string
	}
	requireUnsupported(t, registers[derived](),
		"test.Subject.base: embedded pointer to an unexported struct cannot be set")
}

func TestMapKeysThatTextCannotCarryAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type byPointer struct{ M map[*int]string }
	type byFloat struct{ M map[float64]string }
	type byAny struct{ M map[any]string }
	type byStruct struct{ M map[struct{ A int }]string }
	requireUnsupported(t, registers[byPointer](), "test.Subject.M: map keys of type *int cannot be carried")
	requireUnsupported(t, registers[byFloat](), "test.Subject.M: map keys of type float64 cannot be carried")
	requireUnsupported(t, registers[byAny](), "test.Subject.M: map keys of type interface {} cannot be carried")
	requireUnsupported(t, registers[byStruct](), "test.Subject.M: map keys of type struct { A int } cannot be carried")
}

func TestPointersToThemselvesAreRefusedAtRegister(t *testing.T) {
	t.Parallel()
	type circle *circle
	type holder struct{ C circle }
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[holder](r, "test.Holder"))
	require.ErrorIs(t, r.Check(), envelope.ErrUnsupported)
	require.ErrorContains(t, r.Check(), "test.Holder.C: envelope_test.circle leads back to itself")
}

func TestOnlyDefinedTypesCanBeRegistered(t *testing.T) {
	t.Parallel()
	requireInvalid(t, registers[[]int](), "[]int: not a defined type")
	requireInvalid(t, registers[struct{ A int }](), "not a defined type")
	requireInvalid(t, registers[*shopOrder](), "*envelope_test.shopOrder: a pointer: register envelope_test.shopOrder")
	requireInvalid(t, registers[shopPacking](), "call envelope.RegisterInterface[envelope_test.shopPacking](")
	requireInvalid(t, registers[int](), "int: built in")
	requireInvalid(t, registers[time.Time](), "time.Time: built in")
	requireInvalid(t, envelope.RegisterInterface[shopOrder](envelope.NewRegistry(), "x"), "not an interface")
	requireInvalid(t, envelope.RegisterInterface[any](envelope.NewRegistry(), "x"), "built in")
}

func TestNamesHaveToBeWellFormed(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 128)
	for _, name := range []string{"a", "Z9", "shop.v1/Order-List_2", longest} {
		assert.NoError(t, envelope.Register[shopOrder](envelope.NewRegistry(), name))
	}
	for _, name := range []string{"", "1a", ".a", "_a", "a b", "a[]", "*a", "ü", "aü", "a\n", longest + "a"} {
		requireInvalid(t, envelope.Register[shopOrder](envelope.NewRegistry(), name), "is not a name")
		requireInvalid(t, registers[shopOrder](envelope.Alias(name)), "is not a name")
	}
}

func TestReservedAndTakenNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"any", "map", "string", "byte", "rune", "int64", "time.Time", "uuid.UUID", "big.Int"} {
		requireInvalid(t, envelope.Register[shopOrder](envelope.NewRegistry(), name), "is reserved")
	}
	r := newShop(t)
	type other struct{ A int }
	requireInvalid(t, envelope.Register[other](r, "shop.Line"), "the name shop.Line belongs to envelope_test.shopLine")
	requireInvalid(t, envelope.Register[other](r, "test.Other", envelope.Alias("shop.Packing")), "belongs to envelope_test.shopPacking")
	requireInvalid(t, envelope.Register[other](r, "test.Other", envelope.Alias("test.Other")), "is given twice")
	requireInvalid(t, envelope.Register[shopLine](r, "shop.Line2"), "already registered as shop.Line")
	requireInvalid(t, envelope.RegisterInterface[shopPacking](r, "shop.Packing2"), "already registered as shop.Packing")
	require.NoError(t, envelope.Register[other](r, "test.Other"), "failed attempts leave nothing behind")
}

func TestMustRegisterPanics(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	assert.PanicsWithError(t, "envelope.MustRegister: envelope_test.shopLine: already registered as shop.Line: leave out one of the two calls", func() {
		envelope.MustRegister[shopLine](r, "shop.Line")
	})
}

func TestTypesAndInterfacesMayBeRegisteredInAnyOrder(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[shopParcel](r, "shop.Parcel"))
	_, err := r.Marshal(context.Background(), shopParcel{})
	require.ErrorIs(t, err, envelope.ErrUnregistered)
	require.NoError(t, envelope.RegisterInterface[shopPacking](r, "shop.Packing"))
	require.NoError(t, r.Check())
	assert.Equal(t, shopParcel{}, roundTrip(t, r, shopParcel{}))
}

func TestRegistrationMayHappenDuringUse(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	sent := []any{&shopOrder{ID: "o"}, []shopBox{{1}}, map[string]shopPacking{"a": shopBox{2}}}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 200 {
				assert.Equal(t, any(sent), roundTripAny(t, r, sent))
			}
		})
	}
	type first struct{ A int }
	type second struct{ A first }
	type third struct{ A second }
	require.NoError(t, envelope.Register[third](r, "test.Third"))
	assert.Equal(t, third{second{first{1}}}, roundTrip(t, r, third{second{first{1}}}))
	require.NoError(t, envelope.Register[second](r, "test.Second"))
	require.NoError(t, envelope.Register[first](r, "test.First"))
	assert.Equal(t, any(second{first{1}}), roundTripAny(t, r, second{first{1}}))
	users.Wait()
}
