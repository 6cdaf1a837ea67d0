package taskjson

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestThisMachineryIsKnown(t *testing.T) {
	assert.True(t, knowsTasks)
	assert.True(t, knowsStates)
}

func TestOtherStructsAreNotKnown(t *testing.T) {
	assert.False(t, isSame[struct{ Name, Type, Value string }, knownArg](), "another type")
	assert.False(t, isSame[struct {
		Name  string
		Type  string `json:"type"`
		Value any
	}, knownArg](), "a tag")
	assert.False(t, isSame[struct{ Name, Type string }, knownArg](), "a member less")
	assert.False(t, isSame[time.Time, struct{}](), "a method of its own")
}

var texts = rapid.OneOf(
	rapid.String(),
	rapid.StringMatching(`[\x00-\x7f]{0,20}`),
	rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	rapid.SampledFrom([]string{
		"", "orders.Create", `{"$envelope":1,"type":"orders.Order","data":{"id":"o-1"}}`, "<&>", "\u2028\u2029", "\xff", "\ufffd",
		"a\\u0000", `\`, `"`, "é", "😀",
	}),
)

var values = rapid.OneOf(
	rapid.Just[any](nil),
	rapid.Map(texts, func(v string) any { return v }),
	rapid.Map(rapid.Bool(), func(v bool) any { return v }),
	rapid.Map(rapid.Int(), func(v int) any { return v }),
	rapid.Map(rapid.Int64(), func(v int64) any { return v }),
	rapid.Map(rapid.Uint64(), func(v uint64) any { return v }),
	rapid.Map(rapid.Float64(), func(v float64) any { return v }),
	rapid.Map(rapid.Float32(), func(v float32) any { return v }),
	rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return v }),
	rapid.Map(rapid.SliceOf(texts), func(v []string) any { return v }),
	rapid.Map(rapid.SliceOf(rapid.Float64()), func(v []float64) any { return v }),
	rapid.SampledFrom([]any{
		json.Number("1e400"), json.Number("-0"), json.Number("no number"), json.RawMessage(`{ "a" : [1, {"b": null}] }`),
		math.NaN(), make(chan int), map[string]any{"b": 1, "a": []any{nil}}, []any{[]any{1}}, (*int)(nil), failing{},
	}),
)

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("failed") }

var times = rapid.Map(rapid.Int64Range(-1e12, 1e12), func(seconds int64) time.Time {
	return time.Unix(seconds, seconds&0xffff).In(time.FixedZone("", int(seconds%100_000)))
})

// signatures are of any shape that Go allows but for cycles.
func signatures(depth int) *rapid.Generator[*tasks.Signature] {
	return rapid.Custom(func(t *rapid.T) *tasks.Signature {
		s := &tasks.Signature{
			UUID: texts.Draw(t, "UUID"), Name: texts.Draw(t, "Name"), RoutingKey: texts.Draw(t, "RoutingKey"),
			GroupUUID: texts.Draw(t, "GroupUUID"), GroupTaskCount: rapid.Int().Draw(t, "GroupTaskCount"),
			Priority: rapid.Uint8().Draw(t, "Priority"), Immutable: rapid.Bool().Draw(t, "Immutable"),
			RetryCount: rapid.Int().Draw(t, "RetryCount"), RetryTimeout: rapid.Int().Draw(t, "RetryTimeout"),
			BrokerMessageGroupId: texts.Draw(t, "BrokerMessageGroupId"), SQSReceiptHandle: texts.Draw(t, "SQSReceiptHandle"),
			StopTaskDeletionOnError:     rapid.Bool().Draw(t, "StopTaskDeletionOnError"),
			IgnoreWhenTaskNotRegistered: rapid.Bool().Draw(t, "IgnoreWhenTaskNotRegistered"),
		}
		if rapid.Bool().Draw(t, "has an ETA") {
			eta := times.Draw(t, "ETA")
			s.ETA = &eta
		}
		s.Args = rapid.OneOf(rapid.Just[[]tasks.Arg](nil), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tasks.Arg {
			return tasks.Arg{Name: texts.Draw(t, "Name"), Type: texts.Draw(t, "Type"), Value: values.Draw(t, "Value")}
		}), 0, 3)).Draw(t, "Args")
		s.Headers = rapid.OneOf(rapid.Just[map[string]any](nil), rapid.MapOfN(texts, values, 0, 3)).Draw(t, "Headers")
		if depth > 0 {
			nested := rapid.OneOf(rapid.Just[*tasks.Signature](nil), signatures(depth-1))
			several := rapid.OneOf(rapid.Just[[]*tasks.Signature](nil), rapid.SliceOfN(nested, 0, 2))
			s.OnSuccess, s.OnError = several.Draw(t, "OnSuccess"), several.Draw(t, "OnError")
			s.ChordCallback = nested.Draw(t, "ChordCallback")
		}
		return s
	})
}

func checkTask(t *rapid.T) {
	s := signatures(2).Draw(t, "signature")
	text, err := MarshalTask(s)
	want, wantErr := json.Marshal(s)
	requireSame(t, string(want), wantErr, string(text), err)
	if err != nil {
		return
	}
	read, err := UnmarshalTask(text)
	wantRead, wantErr := decode[tasks.Signature](text)
	requireSame(t, wantRead, wantErr, read, err)
}

func requireSame(t require.TestingT, want any, wantErr error, got any, err error) {
	require.Equal(t, want, got)
	if wantErr == nil {
		require.NoError(t, err)
		return
	}
	require.EqualError(t, err, wantErr.Error())
}

func TestTasksAreThoseOfEncodingJSON(t *testing.T) { rapid.Check(t, checkTask) }

func FuzzTasks(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkTask)) }

// typical is a task as this module sends it. All of its members have values of their own.
func typical() *tasks.Signature {
	eta := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	next := &tasks.Signature{UUID: "task_next", Name: "next", Args: []tasks.Arg{}, Headers: tasks.Headers{}}
	return &tasks.Signature{
		UUID: "task_1", Name: "orders.Create", RoutingKey: "machinery_tasks", ETA: &eta, GroupUUID: "group_1",
		GroupTaskCount: 2, Args: []tasks.Arg{
			{Name: "order", Type: "string", Value: `{"$envelope":1,"type":"orders.Order","data":{"note":"<é>"}}`},
			{Type: "int64", Value: json.Number("-12345678901234567")}, {Type: "bool", Value: true}, {Type: "bool", Value: false},
			{Type: "[]string", Value: []any{"a", nil, json.Number("1.5e3")}}, {Type: "[]string", Value: []any{}}, {},
		},
		Headers:  tasks.Headers{"envelope-format": "1", "b": nil, "a": []any{"x"}},
		Priority: 9, Immutable: true, RetryCount: 3, RetryTimeout: 4,
		OnSuccess: []*tasks.Signature{next, nil}, OnError: []*tasks.Signature{next}, ChordCallback: next,
		BrokerMessageGroupId: "message_group", SQSReceiptHandle: "handle", StopTaskDeletionOnError: true,
		IgnoreWhenTaskNotRegistered: true,
	}
}

// chain is a task that so many others follow.
func chain(length int) *tasks.Signature {
	s := typical()
	for range length {
		s = &tasks.Signature{Name: "step", OnSuccess: []*tasks.Signature{s}}
	}
	return s
}

func TestTypicalTasksAreNotLeftToEncodingJSON(t *testing.T) {
	for name, s := range map[string]*tasks.Signature{"every member": typical(), "chain": chain(200)} {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(s)
			require.NoError(t, err)
			w := writer{}
			w.task(s, maxDepth)
			require.False(t, w.failed)
			require.Equal(t, string(want), string(w.text))
			r := reader{text: want}
			read := r.task(maxDepth)
			require.True(t, r.ended())
			require.Equal(t, s, read)
		})
	}
}

// Other clients write a task otherwise, and most do.
func TestATaskThatIsWrittenOtherwiseCostsHardlyMore(t *testing.T) {
	for _, text := range []string{
		`{"Name":"add","UUID":"a"}`, `{ "UUID": "a" }`, `{"UUID":"a","Name":"add","RoutingKey":"q","ETA":null,"GroupUUID":5}`,
	} {
		plain := testing.AllocsPerRun(10, func() { _, _ = decode[tasks.Signature]([]byte(text)) })
		ours := testing.AllocsPerRun(10, func() { _, _ = UnmarshalTask([]byte(text)) })
		assert.LessOrEqual(t, ours, plain+20, text)
	}
}

func TestTasksThatNestForEverAreLeftToEncodingJSON(t *testing.T) {
	s := typical()
	s.OnError = []*tasks.Signature{s}
	_, err := MarshalTask(s)
	_, want := json.Marshal(s)
	require.EqualError(t, err, want.Error())
	deep := chain(maxDepth)
	text, err := MarshalTask(deep)
	require.NoError(t, err)
	read, err := UnmarshalTask(text)
	require.NoError(t, err)
	require.Equal(t, deep, read)
}

func FuzzUnmarshalTask(f *testing.F) {
	text, err := json.Marshal(typical())
	require.NoError(f, err)
	f.Add(text)
	for _, odd := range []string{
		``, `null`, `{}`, `[]`, `{"name":"lower case"}`, `{"Name":"a","Name":"b"}`, `{"Name":"a"} trailing`, ` {"Name":"a"}`,
		`{"UUID":"\ud83d\ude00\ud800"}`, `{"ETA":"2026-01-02"}`, `{"Priority":256}`, `{"Args":[{"Value":{"a":1}}]}`,
	} {
		f.Add([]byte(odd))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := UnmarshalTask(text)
		want, wantErr := decode[tasks.Signature](text)
		requireSame(t, want, wantErr, read, err)
	})
}

// Each byte of a message is left out, and changed.
func TestEveryChangeOfATaskIsReadAsByEncodingJSON(t *testing.T) {
	text, err := json.Marshal(typical())
	require.NoError(t, err)
	check := func(text []byte) {
		read, err := UnmarshalTask(text)
		want, wantErr := decode[tasks.Signature](text)
		if !reflect.DeepEqual(want, read) || !reflect.DeepEqual(wantErr, err) {
			t.Errorf("%s is read as %v, %v", text, read, err)
		}
	}
	for at := range text {
		for _, insert := range []string{"", " ", "\x00", `"`} {
			check([]byte(string(text[:at]) + insert + string(text[at+1:])))
		}
	}
}
