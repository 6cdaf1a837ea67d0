package envelope_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// gobCodec shows that a codec takes ten lines.
type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	err := gob.NewEncoder(&buf).Encode(v)
	return buf.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

type measurement struct{ Unit, Value string }

func newLab(t *testing.T) *envelope.Registry {
	t.Helper()
	r := newShop(t)
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{})))
	return r
}

func TestCodecsNameThemselvesInTheHeader(t *testing.T) {
	r := newLab(t)
	for _, sent := range []any{measurement{Unit: "m"}, &measurement{Value: "1"}, (*measurement)(nil)} {
		parsed, err := envelope.Parse(marshal(t, r, sent))
		require.NoError(t, err)
		assert.Equal(t, "gob", parsed.Codec)
		assert.Equal(t, sent, roundTripAny(t, r, sent))
		assert.Equal(t, []any{sent}, roundTripAny(t, r, []any{sent}))
	}
}

func TestCodecsApplyInsideOthersAsBase64(t *testing.T) {
	type report struct {
		One  measurement
		At   *measurement
		None *measurement
		List []measurement
	}
	r := newLab(t)
	require.NoError(t, envelope.Register[report](r, "lab.Report"))
	sent := report{One: measurement{"m", "1"}, At: &measurement{"s", "2"}, List: []measurement{{"kg", "3"}}}
	text := marshal(t, r, sent)
	assert.NotContains(t, text, "codec")
	assert.Equal(t, sent, receives[report](t, r, text))
	assert.Equal(t, any([]measurement{{"a", "b"}}), roundTripAny(t, r, []measurement{{"a", "b"}}))
	assert.NotContains(t, marshal(t, r, []measurement{}), "codec")
}

func TestMessagesFromBeforeTheCodecAreReadAsJSON(t *testing.T) {
	r := newLab(t)
	assert.Equal(t, measurement{Unit: "m"}, receives[measurement](t, r, opened("lab.Measurement", `{"Unit":"m"}`)))
	assert.Equal(t, &measurement{Unit: "m"}, receives[any](t, r, opened("*lab.Measurement", `{"Unit":"m"}`)))
	assert.Equal(t, measurement{Unit: "m"}, roundTrip(t, r, measurement{Unit: "m"}), "what is written stays gob")
	assert.Contains(t, marshal(t, r, measurement{}), `"codec":"gob"`)
}

func TestOldVersionsAreReadWithTheirCodec(t *testing.T) {
	type oldMeasurement struct{ Text string }
	old := envelope.NewRegistry()
	require.NoError(t, envelope.Register[oldMeasurement](old, "lab.Measurement", envelope.UseCodec(gobCodec{})))
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{}), envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, o oldMeasurement) (measurement, error) {
			return measurement{Value: o.Text}, nil
		})))
	assert.Equal(t, measurement{Value: "5"}, receives[measurement](t, r, marshal(t, old, oldMeasurement{"5"})))
	assert.Equal(t, []measurement{{Value: "5"}}, receives[[]measurement](t, r, marshal(t, old, []oldMeasurement{{"5"}})))
	assert.Equal(t, measurement{Value: "5"}, receives[measurement](t, r, opened("lab.Measurement", `{"Text":"5"}`)))
}

func TestConvertersComeBeforeCodecs(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[shopPrice](r, "shop.Price", envelope.UseCodec(gobCodec{}),
		envelope.Convert(priceToCents, priceFromCents)))
	assert.Equal(t, shopPrice{5}, roundTrip(t, r, shopPrice{5}))
	assert.Contains(t, marshal(t, r, shopPrice{5}), `"codec":"gob"`)
}

func TestUnknownCodecsAreRefused(t *testing.T) {
	r := newLab(t)
	for _, typeName := range []string{"shop.Line", "lab.Measurement", "[]lab.Measurement", "int"} {
		_, err := r.UnmarshalAny(context.Background(), `{"$envelope":1,"type":"`+typeName+`","codec":"xml","data":""}`)
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.ErrorIs(t, err, envelope.ErrUnknownCodec)
		requireFault(t, err, typeName+": codec xml of "+typeName+" is not known here")
	}
}

var errCodec = errors.New("codec is out of order")

type brokenCodec struct{ gobCodec }

func (brokenCodec) Marshal(any) ([]byte, error) { return nil, errCodec }
func (brokenCodec) Unmarshal([]byte, any) error { return errCodec }

func TestErrorsOfCodecsAreWrapped(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(brokenCodec{})))
	_, err := r.Marshal(context.Background(), []measurement{{}})
	require.ErrorIs(t, err, errCodec)
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.EqualError(t, err, "[]lab.Measurement[0]: codec gob cannot write the value")
	_, err = r.UnmarshalAny(context.Background(), `{"$envelope":1,"type":"lab.Measurement","codec":"gob","data":""}`)
	require.ErrorIs(t, err, errCodec)
	require.ErrorIs(t, err, envelope.ErrMalformed)
}

type namedCodec struct {
	gobCodec
	name string
}

func (c namedCodec) Name() string { return c.name }

func TestCodecsNeedNames(t *testing.T) {
	requireInvalid(t, registers[shopLine](envelope.UseCodec(nil)), "UseCodec got nil")
	for _, name := range []string{"", "json", "a b"} {
		requireInvalid(t, registers[shopLine](envelope.UseCodec(namedCodec{name: name})), "cannot be the name of a codec")
	}
}
