package envelope_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// Types of schemas.
type (
	schemaTree  []schemaTree
	schemaEntry struct {
		Key   string
		Value *schemaEntry
		In    map[string][]schemaEntry
	}
	schemaPage[T any] struct{ Items []T }
	schemaMix         struct {
		Tree  schemaTree
		Entry schemaEntry
		Page  schemaPage[shopLine]
		Other schemaPage[shopStatus]
		Loose struct{ A int }
		Fixed [2]*schemaEntry
		Keys  map[shopStatus]int8
		Bytes []byte
		When  schemaTree `json:",omitempty"`
	}
)

func TestSchemasDescribeGenericsRecursionAndStructsWithoutNames(t *testing.T) {
	r := envelope.NewRegistry()
	envelope.MustRegister[schemaMix](r, "tests.Mix")
	s := r.Schema()
	mix, ok := s.Type("tests.Mix")
	require.True(t, ok)
	assert.Equal(t, []wireschema.Field{
		{Name: "Tree", Form: "[]go:envelope_test.schemaTree"},
		{Name: "Entry", Form: "go:envelope_test.schemaEntry"},
		{Name: "Page", Form: "go:envelope_test.schemaPage[envelope_test.shopLine]"},
		{Name: "Other", Form: "go:envelope_test.schemaPage[envelope_test.shopStatus]"},
		{Name: "Loose", Form: "go:struct"},
		{Name: "Fixed", Form: "[2]*go:envelope_test.schemaEntry"},
		{Name: "Keys", Form: "map[string]int8"},
		{Name: "Bytes", Form: "[]uint8"},
		{Name: "When", Form: "[]go:envelope_test.schemaTree", Omitted: "empty"},
	}, mix.Fields)
	tree, ok := s.Type("go:envelope_test.schemaTree")
	require.True(t, ok)
	assert.Equal(t, "[]go:envelope_test.schemaTree", tree.Form)
	entry, ok := s.Type("go:envelope_test.schemaEntry")
	require.True(t, ok)
	assert.Equal(t, "map[string][]go:envelope_test.schemaEntry", entry.Fields[2].Form)
}

// Registry.Check finds them. Until then they are described, and not followed for ever.
func TestSchemasDescribeTypesThatCannotBeCarried(t *testing.T) {
	type pointer *pointer
	type table map[string]table
	type holder struct {
		Pointer pointer
		Tables  [2]table
		Loose   interface{ Close() }
	}
	r := envelope.NewRegistry()
	envelope.MustRegister[holder](r, "tests.Holder")
	require.Error(t, r.Check())
	s := r.Schema()
	described, _ := s.Type("tests.Holder")
	assert.Equal(t, []wireschema.Field{
		{Name: "Pointer", Form: "*go:envelope_test.pointer"},
		{Name: "Tables", Form: "[2]map[string]go:envelope_test.table"},
		{Name: "Loose", Form: "interface { Close() }"},
	}, described.Fields)
	assert.Len(t, s.JSONSchema(), 1)
}

func TestSchemasOfTheVectorsAreReadBack(t *testing.T) {
	for name, r := range map[string]*envelope.Registry{"vectors": vectorRegistry(t), "shop": newShop(t)} {
		s := r.Schema()
		text := s.JSON()
		read, err := wireschema.Parse(text)
		require.NoError(t, err, name)
		assert.Equal(t, string(text), string(read.JSON()), name)
		assert.Equal(t, string(text), string(r.Schema().JSON()), name)
	}
}

func TestSchemasDescribeWhatTypesAreRegisteredWith(t *testing.T) {
	s := vectorRegistry(t).Schema()
	order, _ := s.Type("orders.Order")
	assert.Equal(t, 2, order.Version)
	assert.Equal(t, []string{"old/Order"}, order.Aliases)
	assert.Equal(t, []wireschema.Upgrade{{From: 1, Form: "go:envelope_test.vectorOrderV1"}}, order.Upgrades)
	aliased, _ := s.Type("old/Order")
	assert.Equal(t, order, aliased)
	price, _ := s.Type("money.Price")
	assert.True(t, price.Converted)
	assert.Equal(t, "int64", price.Form)
	secret, _ := s.Type("keys.Secret")
	assert.True(t, secret.StaticOnly)
	reading, _ := s.Type("sensors.Reading")
	assert.Equal(t, "reversed", reading.Codec)
	shape, _ := s.Interface("shapes.Shape")
	assert.Equal(t, []string{"*shapes.Circle"}, shape.Types)
	fields, _ := s.Type("tests.Fields")
	assert.Equal(t, wireschema.Field{Name: "quoted", Form: "int64", Quoted: true}, fields.Fields[2])
	assert.Equal(t, wireschema.Field{Name: "Zero", Form: "time.Time", Omitted: "zero"}, fields.Fields[6])
}

func TestSchemasTryOlderVersions(t *testing.T) {
	try := vectorRegistry(t).Schema().Try
	require.NoError(t, try(context.Background(), "orders.Order", 1, `{"number":3}`))
	require.NoError(t, try(context.Background(), "orders.Order", 2, `{"id":"o"}`))
	require.ErrorIs(t, try(context.Background(), "orders.Order", 1, `{"number":"3"}`), envelope.ErrTypeMismatch)
	require.ErrorIs(t, try(context.Background(), "orders.Order", 3, `{}`), envelope.ErrUnknownVersion)
	require.ErrorIs(t, try(context.Background(), "orders.Order", 1, `{} {}`), envelope.ErrMalformed)
	require.ErrorIs(t, try(context.Background(), "orders.Nothing", 1, `{}`), envelope.ErrUnknownType)
}

func ExampleRegistry_Schema() {
	type Line struct {
		SKU    string   `json:"sku"`
		Labels []string `json:"labels,omitempty"`
	}
	registry := envelope.NewRegistry()
	envelope.MustRegister[Line](registry, "shop.Line")
	line, _ := registry.Schema().Type("shop.Line")
	for _, field := range line.Fields {
		fmt.Printf("%s %s %q\n", field.Name, field.Form, field.Omitted)
	}
	// Output:
	// sku string ""
	// labels []string "empty"
}
