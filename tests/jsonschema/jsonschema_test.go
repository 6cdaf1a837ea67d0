package jsonschema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// The types that the test vectors of package envelope are about, by the names of its tests.
type (
	order struct {
		ID  string `json:"id"`
		Qty int    `json:"qty"`
	}
	orderV1 struct {
		Number int `json:"number"`
	}
	secret struct{ Key string }
	price  struct{ cents int64 }
	shape  interface{ Area() float64 }
	circle struct {
		R float64 `json:"r"`
	}
	drawing struct {
		Title string         `json:"title"`
		Main  shape          `json:"main"`
		Tags  []string       `json:"tags"`
		Extra map[string]any `json:"extra"`
	}
	base   struct{ ID int8 }
	fields struct {
		base
		Status  string
		Quoted  int64     `json:"quoted,string"`
		Phrase  string    `json:",string"`
		Real    float64   `json:",string"`
		Empty   []int     `json:"empty,omitempty"`
		Zero    time.Time `json:",omitzero"`
		Skipped int       `json:"-"`
		Angle   int       `json:"<&>"`
	}
	reading struct{ Raw []byte }
	tree    struct {
		Name string
		Next []*tree
		By   map[string]tree
	}
)

func (c *circle) Area() float64 { return c.R * c.R * math.Pi }

// verbatim is a codec that writes what it is given.
type verbatim struct{}

func (verbatim) Name() string                       { return "reversed" }
func (verbatim) Marshal(v any) ([]byte, error)      { return v.(*reading).Raw, nil }
func (verbatim) Unmarshal(data []byte, v any) error { v.(*reading).Raw = bytes.Clone(data); return nil }

func newRegistry(t *testing.T) *envelope.Registry {
	r := envelope.NewRegistry()
	toV2 := func(_ context.Context, old orderV1) (order, error) {
		return order{ID: strings.Repeat("o", old.Number)}, nil
	}
	toCents := func(_ context.Context, p price) (int64, error) { return p.cents, nil }
	fromCents := func(_ context.Context, cents int64) (price, error) { return price{cents}, nil }
	require.NoError(t, envelope.RegisterInterface[shape](r, "shapes.Shape"))
	require.NoError(t, envelope.Register[order](r, "orders.Order", envelope.Version(2), envelope.Upgrade(1, toV2), envelope.Alias("old/Order")))
	require.NoError(t, envelope.Register[secret](r, "keys.Secret", envelope.StaticOnly()))
	require.NoError(t, envelope.Register[price](r, "money.Price", envelope.Convert(toCents, fromCents)))
	require.NoError(t, envelope.Register[circle](r, "shapes.Circle"))
	require.NoError(t, envelope.Register[drawing](r, "shapes.Drawing"))
	require.NoError(t, envelope.Register[fields](r, "tests.Fields"))
	require.NoError(t, envelope.Register[reading](r, "sensors.Reading", envelope.UseCodec(verbatim{})))
	require.NoError(t, envelope.Register[tree](r, "tests.Tree"))
	require.NoError(t, r.Check())
	return r
}

// compiled are the documents of a registry, each by the name of its type.
func compiled(t *testing.T, r *envelope.Registry) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	for name, text := range r.Schema().JSONSchema() {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource(name, document))
		schemas[name], err = compiler.Compile(name)
		require.NoError(t, err, "%s", text)
	}
	return schemas
}

func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return s.Validate(instance)
}

type vector struct {
	About    string `json:"about"`
	Envelope string `json:"envelope"`
}

func readVectors(t *testing.T, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "envelope", "testdata", "vectors", file))
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(text, &vectors))
	return vectors
}

func TestEnvelopesOfTheVectorsAreValid(t *testing.T) {
	schemas := compiled(t, newRegistry(t))
	found := 0
	for _, file := range []string{"written.json", "encoded.json"} {
		for _, v := range readVectors(t, file) {
			parsed, err := envelope.Parse(v.Envelope)
			require.NoError(t, err)
			document, ok := schemas[strings.TrimPrefix(parsed.Type, "*")]
			if !ok {
				continue // of a type that needs no registration
			}
			found++
			assert.NoError(t, valid(t, document, v.Envelope), "%s: %s", file, v.About)
		}
	}
	assert.GreaterOrEqual(t, found, 14)
}

func TestOtherEnvelopesAreNotValid(t *testing.T) {
	schemas := compiled(t, newRegistry(t))
	for name, texts := range map[string][]string{
		"orders.Order": {
			`{"$envelope":1,"type":"orders.Order","data":{"id":"o-1","qty":3}}`,
			`{"$envelope":1,"type":"orders.Order","version":2,"data":{"id":"o-1"}}`,
			`{"$envelope":1,"type":"orders.Order","version":2,"data":{"id":"o-1","qty":"3"}}`,
			`{"$envelope":1,"type":"orders.Order","version":2,"data":null}`,
			`{"$envelope":1,"type":"orders.Order","version":2}`,
			`{"$envelope":2,"type":"orders.Order","version":2,"data":{"id":"o-1","qty":3}}`,
			`{"$envelope":1,"type":"shapes.Circle","version":2,"data":{"id":"o-1","qty":3}}`,
			`{"$envelope":1,"type":"orders.Order","version":2,"ref":"sha256:12"}`,
			`"orders.Order"`,
		},
		"money.Price":     {`{"$envelope":1,"type":"money.Price","data":"1"}`, `{"$envelope":1,"type":"money.Price","data":9223372036854775808}`},
		"sensors.Reading": {`{"$envelope":1,"type":"sensors.Reading","data":"AA=="}`, `{"$envelope":1,"type":"sensors.Reading","codec":"reversed","data":{}}`},
		"shapes.Drawing": {
			`{"$envelope":1,"type":"shapes.Drawing","data":{"title":"","main":{"r":1},"tags":null,"extra":null}}`,
			`{"$envelope":1,"type":"shapes.Drawing","data":{"title":"","main":{"$envelope":1,"type":"orders.Order","version":2,"data":{"id":"","qty":1}},"tags":null,"extra":null}}`,
			`{"$envelope":1,"type":"shapes.Drawing","data":{"title":"","main":null,"tags":[1],"extra":null}}`,
			`{"$envelope":1,"type":"shapes.Drawing","data":{"title":"","main":null,"tags":null,"extra":{"a":{"$envelope":1}}}}`,
		},
	} {
		for _, text := range texts {
			assert.Error(t, valid(t, schemas[name], text), text)
		}
	}
}

func TestTypesThatHoldThemselvesAreDescribed(t *testing.T) {
	r := newRegistry(t)
	text, err := r.Marshal(t.Context(), tree{Name: "a", Next: []*tree{nil, {Name: "b"}}, By: map[string]tree{"c": {Name: "d"}}})
	require.NoError(t, err)
	document := compiled(t, r)["tests.Tree"]
	require.NoError(t, valid(t, document, text))
	assert.Error(t, valid(t, document, strings.Replace(text, `"b"`, `1`, 1)))
}
