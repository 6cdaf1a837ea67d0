package middleware_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestATaskOfAnOwnTypeThatIsRegisteredWithTheServerNamesTheCallThatWasMeant(t *testing.T) {
	t.Parallel()
	type text string
	const line = `level=ERROR msg="envelope: a task takes a type of its own: register it with Middleware.RegisterTask, not with the server" ` +
		`task=slip parameter=1 type=`
	for name, fn := range map[string]any{
		"middleware_test.order":   func(order) error { return nil },
		"*middleware_test.order":  func(*order, string) error { return nil },
		"[]middleware_test.order": func([]order) error { return nil },
		"middleware_test.text":    func(text) error { return nil },
		"map[string]string":       func(map[string]string) error { return nil },
		"error":                   func(error) error { return nil },
		"":                        func(string, []int64, any, json.RawMessage, ...bool) error { return nil },
	} {
		lines := &logLines{}
		w := newLoggedWorkplace(t, middleware.WithLogger(lines.logger()))
		require.NoError(t, w.server.RegisterTask("slip", fn))
		require.NoError(t, w.m.RegisterTask("right", func(order) error { return nil }))
		if name == "" {
			assert.Equal(t, []string{""}, lines.all())
			continue
		}
		require.Equal(t, []string{line + name}, lines.all(), "once")
		require.NoError(t, w.deliver(signatureOf("slip", orderOnWire)))
		assert.Contains(t, w.state(t, "task_slip").Error, name+" (register the task with Middleware.RegisterTask, not with the server)")
	}
}

func TestASlipThatWasMadeBeforeInstallIsLoggedByIt(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	server := newServer(&recorder{})
	require.NoError(t, server.RegisterTask("slip", func(order) error { return nil }))
	_, err := middleware.Install(server, registry(), middleware.WithLogger(lines.logger()))
	require.NoError(t, err)
	assert.Contains(t, lines.all()[0], "register it with Middleware.RegisterTask")
}

func TestAStringThatGetsAnEnvelopeOfAnotherTypeIsLoggedOnceForEachTask(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	w := newLoggedWorkplace(t, middleware.WithLogger(lines.logger()))
	require.NoError(t, w.server.RegisterTask("plain", func(string) error { return nil }))
	require.NoError(t, w.m.RegisterTask("wrapped", func(string) error { return nil }))
	for _, name := range []string{"plain", "wrapped", "plain", "wrapped"} {
		s := signatureOf(name, orderOnWire)
		s.Headers = tasks.Headers{middleware.FormatHeader: "1"}
		require.NoError(t, w.deliver(s))
	}
	const line = `level=WARN msg="envelope: a parameter of type string gets the envelope of another type, as a text" task=`
	assert.Equal(t, []string{line + "plain", line + "wrapped"}, lines.all())
}

func TestAnEnvelopeThatIsOpenedIsNotLoggedAsAText(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	server, m := openBank(t, newBank(t), middleware.WithLogger(lines.logger()))
	var got []string
	take := func(text string) error { got = append(got, text); return nil }
	require.NoError(t, server.RegisterTask("plain", take))
	require.NoError(t, m.RegisterTask("wrapped", take))
	require.NoError(t, m.RegisterTask("own", func(c card) error { return take(string(c)) }))
	for _, name := range []string{"plain", "wrapped", "own"} {
		require.NoError(t, runByHand(t, server, m, name, tasks.Arg{Value: card("4711")}))
	}
	assert.Equal(t, []string{"4711", "4711", "4711"}, got)
	assert.NotContains(t, strings.Join(lines.all(), "\n"), "as a text")
}

func TestAnEnvelopeThatIsRefusedIsNotLoggedAsAText(t *testing.T) {
	t.Parallel()
	lines, broker := &logLines{}, &delivering{}
	server := newServer(broker)
	m, err := middleware.Install(server, newBank(t), middleware.WithLogger(lines.logger()))
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("t", func(card) error { return nil }))
	_, err = server.GetBroker().StartConsuming("w", 1, m.NewWorker("w", 1))
	require.NoError(t, err)
	require.NoError(t, broker.processor.Process(signatureOf("t", orderOnWire)))
	assert.NotContains(t, strings.Join(lines.all(), "\n"), "as a text")
}

func TestABrokerThatWasSetAfterInstallIsAnErrorOfTheNextSend(t *testing.T) {
	t.Parallel()
	server, m := install(t, &recorder{})
	s := signatureOf("t", "x")
	replaced := &recorder{}
	server.SetBroker(decorated{server.GetBroker()})
	_, err := m.SendTask(t.Context(), s)
	require.NoError(t, err, "a broker that decorates the middleware's")

	server.SetBroker(replaced)
	_, err = m.Signature(t.Context(), "t", order{})
	require.ErrorIs(t, err, middleware.ErrBrokerReplaced)
	_, err = m.SendTask(t.Context(), s)
	require.ErrorIs(t, err, middleware.ErrBrokerReplaced)
	_, err = m.SendChain(t.Context(), &tasks.Chain{Tasks: []*tasks.Signature{s}})
	require.ErrorIs(t, err, middleware.ErrBrokerReplaced)
	_, err = m.SendGroup(t.Context(), &tasks.Group{Tasks: []*tasks.Signature{s}}, 0)
	require.ErrorIs(t, err, middleware.ErrBrokerReplaced)
	_, err = server.SendTask(s)
	require.ErrorContains(t, err, middleware.ErrBrokerReplaced.Error())
	_, err = server.SendGroup(&tasks.Group{GroupUUID: "g", Tasks: []*tasks.Signature{s}}, 0)
	require.ErrorContains(t, err, middleware.ErrBrokerReplaced.Error())
}

func TestABackendThatWasSetAfterInstallIsAnErrorOfTheNextSend(t *testing.T) {
	t.Parallel()
	server, m := install(t, &recorder{})
	server.SetBackend(eagerbackend.New())
	_, err := m.SendTask(t.Context(), signatureOf("t", "x"))
	assert.ErrorContains(t, err, "the result backend was set after middleware.Install")
}

func TestTheFailureOfATaskThatNoMiddlewareHasSentSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	for _, name := range []string{"", "main.Order"} {
		s := signatureOf("t")
		s.Args = []tasks.Arg{{Type: name, Value: map[string]any{"ID": "o-1"}}}
		require.NoError(t, w.deliver(s))
		assert.Contains(t, w.state(t, "task_t").Error, `"`+name+`" (was it sent by a server without middleware.Install?)`)
	}
}

func TestAStructThatWentThroughJSONIsRefusedWithThatSentence(t *testing.T) {
	t.Parallel()
	const sentence = "a struct that goes through JSON before it is sent is a map"
	data, err := json.Marshal(&tasks.Signature{Name: "t", Args: []tasks.Arg{{Type: "main.Order", Value: order{"o-1", 2}}, {Value: order{"o-1", 2}}}})
	require.NoError(t, err)
	var s tasks.Signature
	require.NoError(t, json.Unmarshal(data, &s))
	w := newWorkplace(t)
	require.NoError(t, w.m.RegisterTask("t", func(*order) error { return nil }))
	typed, untyped := s.Args[:1], s.Args[1:]

	s.Args = typed
	err = w.server.GetBroker().Publish(t.Context(), &s)
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	require.ErrorContains(t, err, sentence)

	s.Args = untyped
	require.NoError(t, w.server.GetBroker().Publish(t.Context(), &s))
	require.NoError(t, w.deliver(received(t, w.broker.published[0])))
	require.ErrorIs(t, w.dead.reasons[0], envelope.ErrTypeMismatch)
	assert.ErrorContains(t, w.dead.reasons[0], sentence)
}

func TestATypeThatWritesItselfAsATextTakesThatText(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t)
	var got []uuid.UUID
	require.NoError(t, w.m.RegisterTask("t", func(id uuid.UUID, pointer *uuid.UUID) error {
		got = append(got, id, *pointer)
		return nil
	}))
	id := uuid.New()
	require.NoError(t, w.deliver(signatureOf("t", id.String(), id.String())))
	assert.Equal(t, []uuid.UUID{id, id}, got)

	require.NoError(t, w.deliver(signatureOf("t", id.String(), "s3cret")))
	require.ErrorIs(t, w.dead.reasons[0], envelope.ErrTypeMismatch)
	assert.EqualError(t, errors.Unwrap(w.dead.reasons[0]), "type mismatch: the text is not that of a uuid.UUID")
}

func TestPrePublishHandlersReadTheValuesOfSignatures(t *testing.T) {
	t.Parallel()
	var m *middleware.Middleware
	var seen []any
	server, installed := install(t, &recorder{}, middleware.WithPrePublish(func(s *tasks.Signature) {
		var err error
		seen, err = m.Values(t.Context(), s)
		assert.NoError(t, err)
	}))
	m = installed
	s, err := m.Signature(t.Context(), "t", order{"o-1", 2}, &order{"o-2", 3}, 7, []order{}, orderOnWire)
	require.NoError(t, err)
	s.Args = append(s.Args, tasks.Arg{Value: order{"o-3", 4}}, tasks.Arg{Type: "string", Value: orderOnWire})
	_, err = server.SendTask(s)
	require.NoError(t, err)
	assert.Equal(t, []any{order{"o-1", 2}, &order{"o-2", 3}, 7, []order{}, orderOnWire, order{"o-3", 4}, orderOnWire}, seen)
}
