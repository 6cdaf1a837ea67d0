package adaptertest

import (
	"encoding/json"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

var hostileClauses = []clause{
	{"WhateverAMessageHoldsItsLetterHoldsIt", whateverAMessageHoldsItsLetterHoldsIt},
	{"WhateverATaskHoldsItsLetterIsReplayed", whateverATaskHoldsItsLetterIsReplayed},
}

// bodies are messages that are no task, or the task "add".
func bodies() *rapid.Generator[string] {
	task := rapid.Custom(func(t *rapid.T) string {
		body, _ := json.Marshal(map[string]any{
			"Name":    "add",
			"UUID":    rapid.String().Draw(t, "uuid"),
			"Headers": rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "headers"),
			rapid.StringMatching(`[A-Z][a-z]{0,9}x`).Draw(t, "unknown member"): rapid.Float64().Draw(t, "its value"),
		})
		return string(body)
	})
	half := rapid.Custom(func(t *rapid.T) string {
		whole := task.Draw(t, "whole")
		return whole[:rapid.IntRange(0, len(whole)-1).Draw(t, "length")]
	})
	bytes := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) })
	return rapid.OneOf(task, half, bytes, rapid.SampledFrom(noTasks))
}

func whateverAMessageHoldsItsLetterHoldsIt(t *testing.T, f *fixture) {
	store, broker := f.letters(t)
	reject := func(*tasks.Signature) error { return errs.ErrStopTaskDeletion }
	ended := Work(t, broker, 2, &Processor{Func: reject})
	rapid.Check(t, func(r *rapid.T) {
		_, err := store.DropAll(t.Context()) // what is left where rapid repeats a check that has failed
		require.NoError(r, err)
		sent := rapid.SliceOfN(bodies(), 1, 5).Draw(r, "bodies")
		for _, body := range sent {
			f.Enqueue(t, f.queue(), []byte(body))
		}
		var got []string
		for _, letter := range awaitLetters(t, store, len(sent)) {
			got = append(got, string(letter.Body))
			assert.Equal(r, f.queue(), letter.Queue)
			one, err := store.Get(t.Context(), letter.ID)
			require.NoError(r, err)
			assert.Equal(r, letter, one)
			if letter.Task == nil {
				assert.ErrorIs(r, store.Replay(t.Context(), letter.ID), deadletter.ErrNoTask)
			} else {
				assert.Equal(r, letter.Task.UUID, letter.UUID)
			}
			require.NoError(r, store.Drop(t.Context(), letter.ID))
		}
		assert.ElementsMatch(r, sent, got)
	})
	broker.StopConsuming()
	Await(t, ended)
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func whateverATaskHoldsItsLetterIsReplayed(t *testing.T, f *fixture) {
	store, _ := f.letters(t)
	f.declared(t, f.custom())
	rapid.Check(t, func(r *rapid.T) {
		s := Task("add", rapid.String().Draw(r, "uuid"), tasks.Arg{Type: "string", Value: rapid.String().Draw(r, "value")})
		s.RoutingKey = f.custom()
		s.Priority = rapid.Byte().Draw(r, "priority")
		s.RetryCount = rapid.Int().Draw(r, "retries")
		push(t, store, s)
		letters := awaitLetters(t, store, 1)
		require.NoError(r, store.Replay(t.Context(), letters[0].ID))
		want, err := json.Marshal(s)
		require.NoError(r, err)
		assert.Equal(r, string(want), string(f.Next(t, f.custom())))
	})
}
