package middleware_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// oneStore keeps one payload, while it is up.
type oneStore struct {
	payload []byte
	down    error
}

func (s *oneStore) Put(_ context.Context, data []byte) (string, error) {
	s.payload = append([]byte(nil), data...)
	return "sha256:" + strings.Repeat("0", 64), nil
}

func (s *oneStore) Get(context.Context, string, int) ([]byte, error) { return s.payload, s.down }

func TestATaskWaitsForAPayloadStoreAsLongAsThatIsDown(t *testing.T) {
	t.Parallel()
	store := &oneStore{}
	w := newWorkplace(t)
	server := newServer(w.broker)
	m, err := middleware.Install(server, envelope.NewRegistry(envelope.WithStore(store, 10)), middleware.WithDeadLetters(w.dead))
	require.NoError(t, err)
	var got string
	require.NoError(t, m.RegisterTask("t", func(text any) error {
		got = text.(string)
		return nil
	}))
	_, err = server.GetBroker().StartConsuming("w", 1, server.NewWorker("w", 1))
	require.NoError(t, err)
	long := `{"$envelope":` + strings.Repeat("long ", 10)
	s, err := m.Signature(t.Context(), "t", long)
	require.NoError(t, err)
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))

	store.down = errors.New("connection refused")
	for attempt := range 50 {
		require.NoError(t, w.broker.processor.Process(last(w.broker.published)))
		require.Len(t, w.broker.published, attempt+2, "put off")
		assert.Equal(t, strconv.Itoa(attempt+1), last(w.broker.published).Headers[middleware.UnavailableHeader])
		assert.Nil(t, last(w.broker.published).Headers[middleware.AttemptsHeader], "it is no fault of the task")
	}
	assert.InDelta(t, time.Minute, time.Until(*last(w.broker.published).ETA), float64(time.Minute)/2, "the pause is bounded")
	assert.Empty(t, w.dead.tasks)
	store.down = nil
	require.NoError(t, w.broker.processor.Process(last(w.broker.published)))
	assert.Equal(t, long, got)
}

func last(published []*tasks.Signature) *tasks.Signature { return published[len(published)-1] }
