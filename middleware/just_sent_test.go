package middleware_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestEndOfATaskThatWasJustSentIsListenedForBeforeItIsAskedFor(t *testing.T) {
	t.Parallel()
	waitsOn(t, &recorder{}, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		sent, err := m.SendTask(t.Context(), named("z")[0])
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() {
			_, err := middleware.Await[string](t.Context(), m, sent)
			ended <- err
		}()
		synctest.Wait()
		require.Equal(t, []string{"z"}, b.watched)
		require.Zero(t, b.questions())

		b.end(tasks.StateSuccess, "z")
		b.hint()
		require.NoError(t, <-ended)
		require.Equal(t, 1, b.questions())
	})
}

func TestTaskThatWasJustSentIsAskedForWhereNoHintComes(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"lost": nil, "none": errors.New("no notifications")} {
		t.Run(name, func(t *testing.T) {
			waitsOn(t, &recorder{}, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
				b.err = err
				sent, err := m.SendTask(t.Context(), named("z")[0])
				require.NoError(t, err)
				b.end(tasks.StateSuccess, "z")
				at := time.Now()
				_, err = middleware.Await[string](t.Context(), m, sent)
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(at), time.Millisecond)
			})
		})
	}
}

func TestTaskThatWasSentLongerAgoIsAskedForFirst(t *testing.T) {
	t.Parallel()
	waitsOn(t, &recorder{}, func(t *testing.T, m *middleware.Middleware, b *notifyingBackend) {
		sent, err := m.SendTask(t.Context(), named("z")[0])
		require.NoError(t, err)
		b.end(tasks.StateSuccess, "z")
		time.Sleep(time.Second)
		_, err = middleware.Await[string](t.Context(), m, sent)
		require.NoError(t, err)
		require.Empty(t, b.watched)
	})
}
