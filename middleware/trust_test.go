package middleware_test

import (
	"errors"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestATextOfAStrangerStaysATextWhenItsTaskIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	var got []string
	require.NoError(t, w.server.RegisterTask("plain", func(text string) error {
		got = append(got, text)
		return errors.New("again")
	}))
	const text = `{"$envelope":1,"type":"int64","data":7}`
	s := signatureOf("plain", text)
	s.RetryCount = 1
	require.NoError(t, w.deliver(s))
	require.NoError(t, w.deliver(w.broker.published[0]))
	assert.Equal(t, []string{text, text}, got)
}

func TestAnArgumentThatAPlainTaskGotInTheClearIsRetriedInAnEnvelopeWithEnvelopeAll(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t, middleware.EnvelopeAll())
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return errors.New("again") }))
	s := signatureOf("plain", "in the clear")
	s.RetryCount = 1
	require.NoError(t, w.deliver(s))
	text, _ := w.broker.published[0].Args[0].Value.(string)
	assert.True(t, envelope.Is(text), text)
}

func TestATaskWhoseEnvelopesWereReplacedSaysNothingOfThem(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker)
	s, err := m.Signature(t.Context(), "t", order{ID: "o-1"})
	require.NoError(t, err)
	s.Args = []tasks.Arg{{Type: "int64", Value: int64(1)}}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.NotContains(t, broker.published[0].Headers, middleware.FormatHeader)
	assert.Contains(t, s.Headers, middleware.FormatHeader, "the caller's stays")
}

func TestAnEnvelopeThatSaysItIsNoTextIsNotOpenedForAPlainTask(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.server.RegisterTask("plain", func(int64) error { return nil }))
	s := signatureOf("plain", `{"$envelope":1,"type":"int64","data":7}`)
	s.Args[0].Type, s.Headers = "int64", tasks.Headers{middleware.FormatHeader: "1"}
	require.NoError(t, w.deliver(s))
	assert.ErrorIs(t, w.failure(t, s), middleware.ErrUnreadable)
}

func TestATextParameterGetsWhatItsEnvelopeIsHoweverThatIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	got := ""
	require.NoError(t, w.m.RegisterTask("wrapped", func(text string) error { got = text; return nil }))
	for text, want := range map[string]string{
		`{"$envelope":1,"type":"string","data":"text"}`:                "text",
		`{"$envelope":1,"type":"str\u0069ng","data":"text"}`:           "text",
		`{"$envelope":1,"codec":"json","type":"string","data":"text"}`: "text",
		`{"$envelope":1,"type":"any","data":1}`:                        `{"$envelope":1,"type":"any","data":1}`,
		`{"$envelope":1,"type":"string`:                                `{"$envelope":1,"type":"string`,
		`{"$envelope":1,"type":"string","data":`:                       `{"$envelope":1,"type":"string","data":`,
	} {
		require.NoError(t, w.deliver(signatureOf("wrapped", text)))
		assert.Equal(t, want, got, text)
	}
}
