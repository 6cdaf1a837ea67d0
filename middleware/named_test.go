package middleware_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type (
	card    string
	cards   []string
	cents   int64
	veiled  string
	encoded int64
	square  float64
	plainID string // not registered
)

type shape interface{ Area() float64 }

func (s square) Area() float64 { return float64(s * s) }

// rot is an AEAD that hides nothing from those who look closely.
type rot struct{}

func (rot) Encrypt(plaintext, _ []byte) ([]byte, error) {
	return append([]byte("!"), plaintext...), nil
}
func (rot) Decrypt(ciphertext, _ []byte) ([]byte, error) { return ciphertext[1:], nil }

func newBank(t *testing.T, options ...envelope.Option) *envelope.Registry {
	r := envelope.NewRegistry(append([]envelope.Option{envelope.EncryptMarked(rot{})}, options...)...)
	envelope.MustRegister[card](r, "bank.Card", envelope.Encrypted())
	envelope.MustRegister[cards](r, "bank.Cards", envelope.Encrypted())
	envelope.MustRegister[cents](r, "bank.Cents", envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, euros int64) (cents, error) { return cents(100 * euros), nil }))
	envelope.MustRegister[veiled](r, "bank.Veiled", envelope.Convert(
		func(_ context.Context, m veiled) (string, error) { return strings.Repeat("*", len(m)), nil },
		func(_ context.Context, s string) (veiled, error) { return veiled(s), nil }))
	envelope.MustRegister[encoded](r, "bank.Encoded", envelope.UseCodec(cborcodec.Codec{}))
	envelope.MustRegister[square](r, "bank.Square")
	require.NoError(t, envelope.RegisterInterface[shape](r, "bank.Shape"))
	require.NoError(t, envelope.RegisterInterface[error](r, "error"))
	return r
}

func openBank(t *testing.T, r *envelope.Registry, options ...middleware.Option) (*machinery.Server, *middleware.Middleware) {
	server := newServer(eager.New())
	m, err := middleware.Install(server, r, options...)
	require.NoError(t, err)
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("w", 1))
	return server, m
}

func TestRegisteredBaseTypesTravelInEnvelopesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]middleware.Option{"needed": nil, "all": {middleware.EnvelopeAll()}} {
		_, m := openBank(t, newBank(t), options...)
		for _, c := range []struct {
			value any
			want  string
		}{
			{card("4711"), `{"$envelope":1,"type":"bank.Card","encoding":["aead"],"data":`},
			{[]card{"4711"}, `{"$envelope":1,"type":"[]bank.Card","encoding":["aead"],"data":`},
			{cards{"4711"}, `{"$envelope":1,"type":"bank.Cards","encoding":["aead"],"data":`},
			{cents(1), `{"$envelope":1,"type":"bank.Cents","version":2,"data":1}`},
			{veiled("4711"), `{"$envelope":1,"type":"bank.Veiled","data":"****"}`},
			{encoded(1), `{"$envelope":1,"type":"bank.Encoded","codec":"cbor","data":"AQ=="}`},
			{square(2), `{"$envelope":1,"type":"bank.Square","data":2}`},
			{time.Second, `{"$envelope":1,"type":"time.Duration","data":1000000000}`},
		} {
			s, err := m.Signature(t.Context(), "t", c.value)
			require.NoError(t, err)
			assert.Equal(t, "string", s.Args[0].Type, name)
			assert.Contains(t, s.Args[0].Value, c.want, name)
		}
	}
}

func TestAValueOfARegisteredTypeIsNotCarriedAsTheTypeThatItsArgumentNames(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server := newServer(broker)
	_, err := middleware.Install(server, newBank(t))
	require.NoError(t, err)
	number := card("4711")
	s := &tasks.Signature{Name: "t", Args: []tasks.Arg{
		{Type: "string", Value: plainID("id")}, {Type: "string", Value: number}, {Type: "string", Value: &number},
		{Type: "[]string", Value: []any{number}}, {Type: "[]string", Value: []*card{&number}}, {Type: "[]string", Value: [1]card{number}},
		{Type: "[]string", Value: []card{"4711"}}, {Type: "[]string", Value: cards{"4711"}},
		{Type: "int64", Value: cents(1)}, {Type: "string", Value: veiled("4711")},
	}}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	args := broker.published[0].Args
	assert.Equal(t, tasks.Arg{Type: "string", Value: plainID("id")}, args[0])
	for i, arg := range args[1:] {
		assert.Equal(t, "string", arg.Type)
		text, _ := arg.Value.(string)
		assert.True(t, envelope.Is(text), "%T", s.Args[i+1].Value)
		assert.NotContains(t, text, "4711")
	}
}

func TestNativeValuesAreReadIntoRegisteredTypesAsEnvelopesOfThemAre(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newBank(t))
	const misfit = "does not fit"
	clearText := envelope.ErrUnencrypted.Error()
	for i, c := range []struct {
		fn   any
		arg  tasks.Arg
		want string
	}{
		{func(card) error { return nil }, tasks.Arg{Type: "string", Value: "4711"}, clearText},
		{func(*card) error { return nil }, tasks.Arg{Type: "string", Value: "4711"}, clearText},
		{func([]card) error { return nil }, tasks.Arg{Type: "[]string", Value: []string{"4711"}}, clearText},
		{func(cards) error { return nil }, tasks.Arg{Type: "[]string", Value: []string{"4711"}}, clearText},
		{func(veiled) error { return nil }, tasks.Arg{Type: "string", Value: "4711"}, misfit},
		{func(encoded) error { return nil }, tasks.Arg{Type: "int64", Value: 1}, misfit},
		{func(c cents) error { return want(c, 500) }, tasks.Arg{Type: "int", Value: 5}, ""},
		{func(c []cents) error { return want(c[0], 500) }, tasks.Arg{Type: "[]int", Value: []int{5}}, ""},
		{func(s square) error { return want(s, 5) }, tasks.Arg{Type: "float32", Value: 5}, ""},
	} {
		name := "t" + strconv.Itoa(i)
		require.NoError(t, m.RegisterTask(name, c.fn))
		err := runByHand(t, server, m, name, c.arg)
		if c.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.want)
		}
	}
}

func want[T comparable](got, wanted T) error {
	if got != wanted {
		return errors.New("got another value")
	}
	return nil
}

type (
	pin   struct{ digits string }
	token string
)

func (p pin) MarshalText() ([]byte, error)       { return []byte(p.digits), nil }
func (t token) MarshalText() ([]byte, error)     { return []byte(t), nil }
func (p *pin) UnmarshalText(text []byte) error   { p.digits = string(text); return nil }
func (t *token) UnmarshalText(text []byte) error { *t = token(text); return nil }

func TestATypeThatIsToBeEncryptedTakesNoTextInTheClearThatItCouldRead(t *testing.T) {
	t.Parallel()
	r := newBank(t)
	envelope.MustRegister[pin](r, "bank.PIN", envelope.Encrypted())
	envelope.MustRegister[token](r, "bank.Token", envelope.Encrypted())
	server, m := openBank(t, r)
	for i, fn := range []any{
		func(pin) error { return nil }, func(*pin) error { return nil }, func(**pin) error { return nil },
		func(token) error { return nil }, func(*token) error { return nil },
	} {
		name := "t" + strconv.Itoa(i)
		require.NoError(t, m.RegisterTask(name, fn))
		for _, text := range []string{"4711", `{"$envelope":1,"type":"string","data":"4711"}`} {
			err := runByHand(t, server, m, name, tasks.Arg{Type: "string", Value: text})
			assert.ErrorContains(t, err, "argument 1", "%T", fn)
		}
	}
}

func TestOldSendersAreHeardWhereClearTextIsAllowed(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newBank(t, envelope.AllowUnencrypted()))
	require.NoError(t, m.RegisterTask("t", func(c card, more ...card) error { return want(c+more[0], "47114712") }))
	require.NoError(t, runByHand(t, server, m, "t", tasks.Arg{Type: "string", Value: "4711"}, tasks.Arg{Type: "string", Value: "4712"}))
}

func TestOneRegisteredTypeIsNotReadAsAnother(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newBank(t))
	require.NoError(t, m.RegisterTask("t", func(veiled) error { return nil }))
	require.ErrorContains(t, runByHand(t, server, m, "t", tasks.Arg{Value: card("4711")}), "does not fit middleware_test.veiled")
}

func TestATypeThatIsNotRegisteredTakesTheBaseValue(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newBank(t))
	require.NoError(t, m.RegisterTask("t", func(a plainID, b *string, c []plainID, d float32) error {
		return want(string(a)+*b+string(c[0]), "123")
	}))
	require.NoError(t, runByHand(t, server, m, "t", tasks.Arg{Value: card("1")}, tasks.Arg{Value: card("2")},
		tasks.Arg{Value: []card{"3"}}, tasks.Arg{Value: square(1)}))
}

func TestAPlainTaskThatIsRetriedIsPublishedAsItCame(t *testing.T) {
	t.Parallel()
	broker := &delivering{}
	server := newServer(broker)
	m, err := middleware.Install(server, newBank(t))
	require.NoError(t, err)
	_, err = server.GetBroker().StartConsuming("w", 1, server.NewWorker("w", 1))
	require.NoError(t, err)
	var got []string
	require.NoError(t, server.RegisterTask("plain", func(c string) error {
		got = append(got, c)
		return errors.New("again")
	}))
	s, err := m.Signature(t.Context(), "plain", card("4711"))
	require.NoError(t, err)
	s.RetryCount = 1
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	require.NoError(t, broker.processor.Process(received(t, broker.published[0])))
	require.Len(t, broker.published, 2)
	assert.Equal(t, broker.published[0].Args, broker.published[1].Args)
	require.NoError(t, broker.processor.Process(received(t, broker.published[1])))
	assert.Equal(t, []string{"4711", "4711"}, got)
}
