package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	machineryamqp "github.com/RichardKnop/machinery/v2/backends/amqp"
	"github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

func TestResultsAreThoseOfTheBackend(t *testing.T) {
	backend := eager.New()
	results := inspect.ResultsOf(backend)
	uuids := []string{"a", "b", "c"}
	require.NoError(t, backend.InitGroup("g", uuids))
	for _, uuid := range uuids[:2] {
		require.NoError(t, backend.SetStatePending(&tasks.Signature{UUID: uuid, Name: "add"}))
	}
	large := []*tasks.TaskResult{{Type: "string", Value: strings.Repeat("x", 2*inspect.MaxBody)}}
	require.NoError(t, backend.SetStateSuccess(&tasks.Signature{UUID: "c"}, large))

	state, err := results.TaskState(t.Context(), "c")
	require.NoError(t, err)
	assert.Len(t, state.Results[0].Value, 2*inspect.MaxBody)

	var members []string
	for page := (inspect.Page{Limit: 2}); ; {
		group, err := results.Group(t.Context(), "g", page)
		require.NoError(t, err)
		assert.Equal(t, 3, group.Size)
		assert.Equal(t, 3, group.Counted)
		assert.Equal(t, map[string]int{tasks.StatePending: 2, tasks.StateSuccess: 1}, group.States)
		for _, member := range group.Members {
			members = append(members, member.UUID)
			assert.Empty(t, member.State.Results, "too large for a list")
		}
		if page.Cursor = group.Next; page.Cursor == "" {
			break
		}
	}
	assert.Equal(t, uuids, members)
}

func TestWhatNoBackendKnowsIsNotFound(t *testing.T) {
	results := inspect.ResultsOf(eager.New())
	_, err := results.TaskState(t.Context(), "a")
	require.ErrorIs(t, err, inspect.ErrNotFound)
	_, err = results.Group(t.Context(), "g", inspect.Page{})
	require.ErrorIs(t, err, inspect.ErrNotFound)
	for _, text := range []string{"redis: nil", "redigo: nil returned", "memcache: cache miss", "mongo: no documents in result"} {
		for _, absent := range []error{errors.New(text), fmt.Errorf("get a: %w", errors.New(text)), errors.Join(errors.New("x"), errors.New(text))} {
			_, err := inspect.ResultsOf(failing{err: absent}).TaskState(t.Context(), "a")
			require.ErrorIs(t, err, inspect.ErrNotFound, absent)
		}
	}
	down := errors.New("connection refused")
	_, err = inspect.ResultsOf(failing{err: down}).TaskState(t.Context(), "a")
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, inspect.ErrNotFound)
}

type failing struct {
	backendsiface.Backend
	err error
}

func (f failing) GetState(string) (*tasks.TaskState, error) { return nil, f.err }

// Looking would take a state from who waits for it.
func TestStatesThatAreHandedOutOnceAreNotRead(t *testing.T) {
	results := inspect.ResultsOf(machineryamqp.New(&config.Config{}))
	_, err := results.TaskState(t.Context(), "a")
	require.ErrorIs(t, err, inspect.ErrUnsupported)
	_, err = results.Group(t.Context(), "g", inspect.Page{})
	require.ErrorIs(t, err, inspect.ErrUnsupported)
}

func TestResultsHeedTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results := inspect.ResultsOf(eager.New())
	_, err := results.TaskState(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	_, err = results.Group(ctx, "g", inspect.Page{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOffsetIsWhatACursorSays(t *testing.T) {
	for cursor, want := range map[string]int{"": 0, "0": 0, "17": 17} {
		got, err := inspect.Page{Cursor: cursor}.Offset()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, cursor := range []string{"x", "-1", "1.5", "99999999999999999999", "\x00"} {
		_, err := inspect.Page{Cursor: cursor}.Offset()
		require.ErrorIs(t, err, inspect.ErrCursor, cursor)
	}
}
