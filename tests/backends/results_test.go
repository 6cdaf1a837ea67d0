package backends_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// results are values that Machinery carries by itself, but not all of them through every backend.
var results = []any{
	true, 1, int8(-1), int16(2), int32(3), int64(math.MaxInt64), uint(5), uint8(6), uint16(7), uint32(8), uint64(math.MaxUint64),
	float32(1.1), 2.5, "", "text", `{"a":1}`, ` {}`, "null", `{"a":`, `{"$envelope":1,"type":"string","data":"x"}`, `{"$envelope":`,
	`[{"$envelope":1,"type":"string","data":"x"}]`, `[{"$envelope":`, `[[{"$envelope":1}]]`,
	[]bool{true}, []int{1}, []int64{1, 2}, []uint8{0, 255}, []uint64{math.MaxUint64}, []float32{1.1}, []float64{1.5}, []string{"a", "{}"},
	[]string{}, []byte(nil), []string(nil),
}

func TestEveryResultArrives(t *testing.T) {
	for name, open := range map[string]opener{"memcached": withQueueInRedis(openMemcached), "mongo": withQueueInRedis(openMongo), "dynamodb": withQueueInRedis(openDynamoDB)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cnf := &config.Config{DefaultQueue: "results-" + uuid.NewString(), ResultsExpireIn: 3600, NoUnixSignals: true}
			m := work(t, open(t, cnf)())
			for i, value := range results {
				t.Run(fmt.Sprintf("%d %T", i, value), func(t *testing.T) { arrives(t, m, value) })
			}
		})
	}
}

// work has a task that returns what it gets, and one that returns all it gets, until the test has ended.
func work(t *testing.T, server *machinery.Server, opts ...middleware.Option) *middleware.Middleware {
	m, err := middleware.Install(server, envelope.NewRegistry(), opts...)
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("echo", func(value any) (any, error) { return value, nil }))
	require.NoError(t, m.RegisterTask("collect", func(values ...any) ([]any, error) { return values, nil }))
	worker, ended := m.NewWorker("results", 2), make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		<-ended
	})
	return m
}

// arrives asserts that a result reaches whoever awaits it, and the callback of a chord.
func arrives(t *testing.T, m *middleware.Middleware, value any) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	signature := func(name string, args ...any) *tasks.Signature {
		s, err := m.Signature(ctx, name, args...)
		require.NoError(t, err)
		return s
	}
	sent, err := m.SendTask(ctx, signature("echo", value))
	require.NoError(t, err)
	got, err := middleware.Await[any](ctx, m, sent)
	require.NoError(t, err)
	require.Equal(t, value, got)

	group, err := tasks.NewGroup(signature("echo", value))
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, signature("collect"))
	require.NoError(t, err)
	collected, err := m.SendChord(ctx, chord, 1)
	require.NoError(t, err)
	all, err := middleware.Await[[]any](ctx, m, collected)
	require.NoError(t, err)
	require.Equal(t, []any{value}, all)
}
