package amqpadapter

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func argument(s string) tasks.Arg { return tasks.Arg{Type: "string", Value: s} }

// integers are so many that their types do not fit in a header.
func integers() []tasks.Arg { return slices.Repeat([]tasks.Arg{{Type: "int64"}}, 1000) }

func TestHeadersSayWhatTheArgumentsAreWhereThereAreEnvelopes(t *testing.T) {
	t.Parallel()
	order := argument(`{"$envelope":1,"type":"orders.Order","data":{"id":"o-1"}}`)
	for want, args := range map[string][]tasks.Arg{
		"orders.Order":                           {order},
		"orders.Order,string":                    {order, argument("plain")},
		"int64,orders.Order":                     {{Type: "int64", Value: 1}, order},
		"map[string]orders.Order":                {argument(`{"$envelope":1,"type":"map[string]orders.Order","version":2,"data":{}}`)},
		"orders.Report":                          {argument(`{"$envelope":1,"type":"orders.Report","encoding":["zstd"],"ref":"sha256:` + strings.Repeat("0a", 32) + `"}`)},
		"orders.Large":                           {argument(`{"$envelope":1,"type":"orders.Large","data":"` + strings.Repeat("x", 1<<20) + `"}`)},
		strings.Repeat("int64,", 171)[:maxTypes]: append(integers(), order),
	} {
		headers, err := headersOf(&tasks.Signature{Args: args})
		require.NoError(t, err)
		require.Equal(t, amqp.Table{TypesHeader: want, FormatHeader: "1"}, headers)
	}
}

func TestHeadersSayNothingOfOtherArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]tasks.Arg{
		nil,
		{{Type: "int64", Value: 1}, {Type: "[]string"}},
		{argument(`{"$envelope":1,"type":"no type!","data":1}`)},
		{argument(`{"$envelope":1,`), argument(`{"$envelope":9,"type":"a","data":1}`)},
		integers(),
	} {
		headers, err := headersOf(&tasks.Signature{Args: args, Headers: tasks.Headers{"tenant": "acme"}})
		require.NoError(t, err)
		require.Equal(t, amqp.Table{"tenant": "acme"}, headers)
	}
}

// The headers of a retry have been read back from the body of the message.
func TestHeadersSurviveBeingReadBack(t *testing.T) {
	t.Parallel()
	sent := &tasks.Signature{Headers: tasks.Headers{
		"n": int64(1) << 60, "f": 0.5, "s": "text", "list": []any{"x", int64(2)}, "table": amqp.Table{"k": int64(3)},
		"int": 4, "beyond": uint64(math.MaxUint64), "strings": []string{"y"},
	}}
	first, err := headersOf(sent)
	require.NoError(t, err)
	body, err := json.Marshal(sent)
	require.NoError(t, err)
	again, err := delivery.Decode([]byte(strings.Replace(string(body), `"Name":""`, `"Name":"add"`, 1)))
	require.NoError(t, err)
	second, err := headersOf(again)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Equal(t, json.Number("1152921504606846976"), again.Headers["n"], "the signature is left as it was")
}

func TestHeadersThatHaveNoJSONAreRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []any{make(chan int), func() {}, map[string]any{"c": complex(1, 1)}} {
		_, err := headersOf(&tasks.Signature{Headers: tasks.Headers{"h": value}})
		require.ErrorContains(t, err, "headers")
		_, isUnsupported := errors.AsType[*json.UnsupportedTypeError](err)
		require.True(t, isUnsupported, "%v", err)
	}
}

func TestHeadersThatTheClientLibraryCannotReadAreRefused(t *testing.T) {
	t.Parallel()
	nested := func(levels int) (value any) {
		for range levels {
			value = map[string]any{"in": []any{value}}
		}
		return value
	}
	own := map[string]any{}
	own["itself"] = own
	for name, value := range map[string]any{
		"deep":   nested(maxHeaderDepth/2 + 1),
		"many":   make([]any, maxHeaders+1),
		"circle": own,
	} {
		_, err := headersOf(&tasks.Signature{Headers: tasks.Headers{"h": value}})
		require.ErrorIs(t, err, ErrTooLarge, name)
	}
	largest := tasks.Headers{"deep": nested(maxHeaderDepth / 2), "many": make([]any, maxHeaders)}
	headers, err := headersOf(&tasks.Signature{Headers: largest})
	require.NoError(t, err)
	require.Equal(t, headers, throughRabbitMQ(t, headers))
}

// throughRabbitMQ returns headers as they arrive.
func throughRabbitMQ(t *testing.T, headers amqp.Table) amqp.Table {
	t.Helper()
	connection, err := amqp.Dial(services.AMQP(t))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	queue, err := channel.QueueDeclare("", false, false, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.Publish("", queue.Name, true, false, amqp.Publishing{Headers: headers}))
	d, found, err := channel.Get(queue.Name, true)
	require.NoError(t, err)
	require.True(t, found)
	return d.Headers
}

func TestHeadersArriveExactly(t *testing.T) {
	t.Parallel()
	type (
		tenant string
		level  uint8
		note   struct{ Text string }
	)
	when := time.Unix(1_700_000_000, 0)
	number := int8(-7)
	sent, arrives := tasks.Headers{}, amqp.Table{}
	for name, c := range map[string]struct{ sent, arrives any }{
		"nil":                 {nil, nil},
		"bool":                {true, true},
		"int":                 {math.MaxInt, int64(math.MaxInt)},
		"negative int":        {math.MinInt, int64(math.MinInt)},
		"int8":                {int8(math.MinInt8), int8(math.MinInt8)},
		"int16":               {int16(math.MinInt16), int16(math.MinInt16)},
		"int32":               {int32(math.MinInt32), int32(math.MinInt32)},
		"int64":               {int64(math.MinInt64), int64(math.MinInt64)},
		"uint":                {uint(math.MaxUint32), int64(math.MaxUint32)},
		"uint8":               {uint8(math.MaxUint8), uint8(math.MaxUint8)},
		"uint16":              {uint16(math.MaxUint16), uint16(math.MaxUint16)},
		"uint32":              {uint32(math.MaxUint32), uint32(math.MaxUint32)},
		"uint64":              {uint64(math.MaxInt64), int64(math.MaxInt64)},
		"beyond int64":        {uint64(math.MaxUint64), "18446744073709551615"},
		"number beyond int64": {json.Number("-18446744073709551615"), "-18446744073709551615"},
		"number":              {json.Number("2.5"), 2.5},
		"beyond float64":      {json.Number("1e999"), "1e999"},
		"float32":             {float32(0.1), float32(0.1)},
		"float64":             {math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat64},
		"string":              {"ü", "ü"},
		"bytes":               {[]byte{0, 255}, []byte{0, 255}},
		"decimal":             {amqp.Decimal{Scale: 2, Value: -5}, amqp.Decimal{Scale: 2, Value: -5}},
		"time":                {when, when},
		"named string":        {tenant("acme"), "acme"},
		"named integer":       {level(200), int64(200)},
		"pointer":             {&number, int64(-7)},
		"struct":              {note{"x"}, amqp.Table{"Text": "x"}},
		"marshaler":           {netip.MustParseAddr("::1"), "::1"},
		"strings":             {[]string{"a", "b"}, []any{"a", "b"}},
		"integers":            {[]int{math.MaxInt}, []any{int64(math.MaxInt)}},
		"list":                {[]any{math.MaxInt, []any{uint64(1)}}, []any{int64(math.MaxInt), []any{int64(1)}}},
		"map":                 {map[string]any{"n": math.MaxInt}, amqp.Table{"n": int64(math.MaxInt)}},
		"table":               {amqp.Table{"n": math.MaxInt}, amqp.Table{"n": int64(math.MaxInt)}},
		"map of integers":     {map[string]int{"n": math.MaxInt}, amqp.Table{"n": int64(math.MaxInt)}},
		"headers":             {tasks.Headers{"n": math.MaxInt}, amqp.Table{"n": int64(math.MaxInt)}},
	} {
		sent[name], arrives[name] = c.sent, c.arrives
	}
	headers, err := headersOf(&tasks.Signature{Headers: sent})
	require.NoError(t, err)
	require.Equal(t, arrives, throughRabbitMQ(t, headers))
}

func TestSizeOfHeadersIsNotUnderrated(t *testing.T) {
	t.Parallel()
	table := amqp.Table{"a": "text", "b": []any{int64(1), "x"}, "c": amqp.Table{"d": []byte("bytes")}, "e": true}
	// Each name, value and list has at least its bytes, a type and a length.
	require.Greater(t, sizeOf(table), len("atextbxcdbytese")+8*4)
}

func FuzzTypeOf(f *testing.F) {
	f.Add(`{"$envelope":1,"type":"orders.Order","data":{"id":"o-1"}}`)
	f.Add(`{"$envelope":1,"type":"a","x":",\"data\":","data":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		name, isEnvelope := typeOf(tasks.Arg{Type: "string", Value: text})
		require.LessOrEqual(t, len(name), maxEnvelopeHeader)
		require.Equal(t, isEnvelope, name != "string" || isEnvelope)
	})
}

// A retry makes AMQP headers of those in the body, which its sender chose.
func TestHeadersOfABodySetNoneThatCountOrSteer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		DeliveriesHeader, UnregisteredHeader, DeathReasonHeader, DeathQueueHeader, deathIDHeader, delayQueueHeader,
		delayExchangeHeader, delayLevelHeader + "3", "x-death", "x-delivery-count",
	} {
		headers, err := headersOf(&tasks.Signature{Headers: tasks.Headers{name: int32(99), "kept": "x"}})
		require.NoError(t, err)
		require.Equal(t, amqp.Table{"kept": "x"}, headers)
	}
}

func TestNamesOfHeadersThatAMQPHasNoRoomForAreRefusedAtAnyDepth(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", maxShortString+1)
	for _, value := range []tasks.Headers{
		{long: "x"},
		{"table": map[string]any{long: "x"}},
		{"list": []any{map[string]any{long: "x"}}},
	} {
		_, err := headersOf(&tasks.Signature{Headers: value})
		require.ErrorIs(t, err, ErrTooLarge)
	}
}
