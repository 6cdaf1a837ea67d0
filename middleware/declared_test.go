package middleware_test

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// publishedBy returns arguments as they leave a server with the middleware.
func publishedBy(t *testing.T, args []tasks.Arg, opts ...middleware.Option) []tasks.Arg {
	broker := &recorder{}
	server, _ := install(t, broker, opts...)
	require.NoError(t, server.GetBroker().Publish(t.Context(), &tasks.Signature{Name: "t", Args: args}))
	return broker.published[0].Args
}

func TestArgumentsOfMachinerysTypesLeaveAsMachineryWouldSendThem(t *testing.T) {
	number, text := int64(7), "text"
	args := []tasks.Arg{
		{Type: "string", Value: []byte("text")}, {Type: "int64", Value: &number}, {Type: "string", Value: &text},
		{Type: "[]string", Value: [2]string{"a", "b"}}, {Type: "[]string", Value: []uuid.UUID{{1}}}, {Type: "[]string", Value: []*string{&text}},
		{Type: "[]string", Value: []time.Time{time.Unix(0, 0)}}, {Type: "int64", Value: big.NewInt(7)}, {Type: "string", Value: uuid.UUID{1}},
		{Type: "string", Value: nil}, {Type: "string", Value: 7}, {Type: "int64", Value: "7"}, {Type: "string", Value: stranger{"s"}},
		{Type: "string", Value: map[string]any{"a": 1}}, {Type: "[]int64", Value: [][]int64{{1}}}, {Type: "bool", Value: `{"$envelope":1}`},
		{Type: "[]string", Value: []string{`{"$envelope":1}`}},
	}
	for name, opts := range map[string][]middleware.Option{"native": nil, "slices in envelopes": {middleware.EnvelopeSlices()}} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, args, publishedBy(t, args, opts...)) })
	}
}

func TestRegisteredValuesTravelInEnvelopesWhateverTypeTheirArgumentNames(t *testing.T) {
	o := order{"o-1", 2.5}
	pointer := &o
	for want, value := range map[string]any{
		"shop.Order": o, "*shop.Order": pointer, "[]shop.Order": []order{o}, "[1]*shop.Order": [1]*order{pointer},
		"map[string]shop.Order": map[string]order{}, "[]any": []any{"a", o}, "map[string]any": map[string]any{"a": []any{&o}},
	} {
		arg := publishedBy(t, []tasks.Arg{{Type: "string", Value: value}})[0]
		parsed, err := envelope.Parse(arg.Value.(string))
		require.NoError(t, err)
		assert.Equal(t, want, parsed.Type)
	}
}

// selfWritten writes itself as a text.
type selfWritten string

func (s selfWritten) MarshalText() ([]byte, error) { return []byte(s), nil }

func TestATextThatLooksLikeAnEnvelopeGoesInOneWhateverWritesIt(t *testing.T) {
	type status string
	lookalike := `{"$envelope":1}`
	const want = `{"$envelope":1,"type":"string","data":"{\"$envelope\":1}"}`
	for _, value := range []any{
		lookalike, status(lookalike), &lookalike, selfWritten(lookalike), json.RawMessage(`"{\"$envelope\":1}"`), json.RawMessage(`"\u007b\"$envelope\":1}"`),
	} {
		assert.Equal(t, want, publishedBy(t, []tasks.Arg{{Type: "string", Value: value}})[0].Value, "%T", value)
	}
}

func TestValuesThatHoldThemselvesAreRefused(t *testing.T) {
	cycle := make([]any, 2)
	cycle[0], cycle[1] = cycle, cycle
	server, _ := install(t, &recorder{})
	err := server.GetBroker().Publish(t.Context(), &tasks.Signature{Name: "t", Args: []tasks.Arg{{Type: "string", Value: cycle}}})
	require.ErrorIs(t, err, envelope.ErrUnsupported)
}
