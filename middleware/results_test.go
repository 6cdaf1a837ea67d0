package middleware

import (
	"math"
	"reflect"
	"strings"
	"testing"

	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestEveryResultComesBackFromArraysAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := []string{"[", "]", `{"$envelope":`, `1,"type":"string","data":"x"}`, "x", ""}
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "pieces"), "")
		inner := eagerbackend.New()
		outer := &arrayBackend{inner}
		s, err := tasks.NewSignature("task", nil)
		require.NoError(t, err)
		s.GroupUUID = "group"
		require.NoError(t, outer.InitGroup(s.GroupUUID, []string{s.UUID}))
		given := []*tasks.TaskResult{nil, {Type: "string", Value: text}, {Type: "mark", Value: text}, {Type: "int64", Value: int64(1)}}

		require.NoError(t, outer.SetStateSuccess(s, given))

		require.Equal(t, text, given[1].Value, "the worker's own results are not changed")
		kept, err := inner.GetState(s.UUID)
		require.NoError(t, err)
		require.False(t, envelope.Is(kept.Results[1].Value.(string)))
		state, err := outer.GetState(s.UUID)
		require.NoError(t, err)
		require.Equal(t, text, state.Results[1].Value)
		require.Equal(t, text, state.Results[2].Value)
		states, err := outer.GroupTaskStates(s.GroupUUID, 1)
		require.NoError(t, err)
		require.Equal(t, text, states[0].Results[1].Value)
	})
}

func TestWhatMongoKeeps(t *testing.T) {
	for _, value := range []any{"", "text", `[1]`, `"{"`, true, int64(math.MinInt64), 1.5, []string{"{}"}, []bool{}, []int64{1}, []float64{1}} {
		assert.True(t, keptByMongo(value), "%#v", value)
	}
	// Documents, numbers that come back as int32, and what comes back as a primitive.Binary.
	for _, value := range []any{`{}`, " \n{", "null", 1, int8(1), int32(1), uint64(1), float32(1), []byte{1}, []int{1}, []uint8{}} {
		assert.False(t, keptByMongo(value), "%#v", value)
	}
}

// decorated is an application's own decorator of a backend.
type decorated struct{ backendsiface.Backend }

func (d decorated) Unwrap() backendsiface.Backend { return d.Backend }

func TestABackendIsKnownByItsType(t *testing.T) {
	const eager = "github.com/RichardKnop/machinery/v2/backends/eager.Backend"
	assert.Equal(t, eager, typeOfBackend(eagerbackend.New()))
	assert.Equal(t, eager, typeOfBackend(decorated{decorated{eagerbackend.New()}}))
	assert.Empty(t, typeOfBackend(nil))
	assert.Nil(t, keptBy(eagerbackend.New()))
	assert.Equal(t, reflect.TypeFor[*eagerbackend.Backend](), reflect.TypeOf(decorateResults(eagerbackend.New())))
}
