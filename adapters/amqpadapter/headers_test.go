package amqpadapter

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
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
	sent := &tasks.Signature{Headers: tasks.Headers{"n": int64(1) << 60, "f": 0.5, "s": "text", "list": []any{"x", int64(2)}, "table": amqp.Table{"k": int64(3)}}}
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

func TestHeadersThatAMQPCannotCarryAreRefused(t *testing.T) {
	t.Parallel()
	_, err := headersOf(&tasks.Signature{Headers: tasks.Headers{"c": make(chan int)}})
	require.ErrorContains(t, err, "headers")
	require.Error(t, err)
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
