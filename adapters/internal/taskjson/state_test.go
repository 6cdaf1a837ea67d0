package taskjson

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var states = rapid.Custom(func(t *rapid.T) *tasks.TaskState {
	result := rapid.OneOf(rapid.Just[*tasks.TaskResult](nil), rapid.Custom(func(t *rapid.T) *tasks.TaskResult {
		return &tasks.TaskResult{Type: texts.Draw(t, "Type"), Value: values.Draw(t, "Value")}
	}))
	return &tasks.TaskState{
		TaskUUID: texts.Draw(t, "TaskUUID"), TaskName: texts.Draw(t, "TaskName"), State: texts.Draw(t, "State"),
		Results: rapid.OneOf(rapid.Just[[]*tasks.TaskResult](nil), rapid.SliceOfN(result, 0, 2)).Draw(t, "Results"),
		Error:   texts.Draw(t, "Error"), CreatedAt: times.Draw(t, "CreatedAt"), TTL: rapid.Int64().Draw(t, "TTL"),
	}
})

func checkState(t *rapid.T) {
	s := states.Draw(t, "state")
	text, err := MarshalState(s)
	want, wantErr := json.Marshal(s)
	requireSame(t, string(want), wantErr, string(text), err)
	if err != nil {
		return
	}
	read, err := UnmarshalState(text)
	wantRead, wantErr := decode[tasks.TaskState](text)
	requireSame(t, wantRead, wantErr, read, err)
}

func TestStatesAreThoseOfEncodingJSON(t *testing.T) { rapid.Check(t, checkState) }

func FuzzStates(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkState)) }

func typicalState() *tasks.TaskState {
	return &tasks.TaskState{
		TaskUUID: "task_1", TaskName: "orders.Create", State: tasks.StateSuccess,
		Results: []*tasks.TaskResult{{Type: "string", Value: `{"$envelope":1}`}, nil, {Type: "int", Value: json.Number("7")}},
		Error:   "none", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), TTL: 3600,
	}
}

func TestTypicalStatesAreNotLeftToEncodingJSON(t *testing.T) {
	s := typicalState()
	want, err := json.Marshal(s)
	require.NoError(t, err)
	w := writer{}
	w.state(s)
	require.False(t, w.failed)
	require.Equal(t, string(want), string(w.text))
	r := reader{text: want}
	read := r.state()
	require.True(t, r.ended())
	require.Equal(t, s, read)
}

func FuzzUnmarshalState(f *testing.F) {
	text, err := json.Marshal(typicalState())
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"taskuuid":"lower case","Results":[{"Value":{}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := UnmarshalState(text)
		want, wantErr := decode[tasks.TaskState](text)
		requireSame(t, want, wantErr, read, err)
	})
}
