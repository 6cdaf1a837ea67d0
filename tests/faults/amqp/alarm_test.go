package amqp_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// alarm makes RabbitMQ short of memory or disk space, so that it takes no messages, until the returned function is
// called.
func (s *site) alarm(t *testing.T, resource string) (end func()) {
	t.Helper()
	set := fmt.Sprintf("rabbit_alarm:set_alarm({{resource_limit, %s, node()}, []}).", resource)
	clear := fmt.Sprintf("rabbit_alarm:clear_alarm({resource_limit, %s, node()}).", resource)
	s.node.ctl(t, "eval", set)
	end = sync.OnceFunc(func() { _, _ = s.node.run("eval", clear) })
	t.Cleanup(end)
	return end
}

// A worker's tasks run in an alarm, because RabbitMQ still hands them out. What follows them waits for its end.
func TestCallbacksOutliveAnAlarm(t *testing.T) {
	t.Parallel()
	const many = 48
	for _, resource := range []string{"memory", "disk"} {
		t.Run(resource, func(t *testing.T) {
			s := newSite(t, disturbedRabbitMQ(t))
			server := newServer(configOf(s.node.url, s.queue), amqpadapter.WithPublishTimeout(time.Second))
			defer func() { _ = server.GetBroker().(io.Closer).Close() }()
			var mu sync.Mutex
			runs := make(map[string]int)
			seen := func() int { // without those that are sent in the alarm
				mu.Lock()
				defer mu.Unlock()
				return len(runs) - min(1, runs["in the alarm"])
			}
			require.NoError(t, server.RegisterTask("record", func(id string) error {
				mu.Lock()
				defer mu.Unlock()
				runs[id]++
				return nil
			}))
			record := func(id string) *tasks.Signature {
				return &tasks.Signature{UUID: id, Name: "record", Args: []tasks.Arg{{Type: "string", Value: id}}}
			}
			for i := range many {
				first := record(fmt.Sprint("first-", i))
				first.OnSuccess = []*tasks.Signature{record(fmt.Sprint("callback-", i))}
				require.NoError(t, s.server.GetBroker().Publish(t.Context(), first))
			}
			end := s.alarm(t, resource)
			worker := server.NewWorker("alarm", 16)
			ended := make(chan error, 1)
			worker.LaunchAsync(ended)
			require.True(t, waitFor(func() bool { return seen() >= 16 }))
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				err := server.GetBroker().Publish(ctx, record("in the alarm"))
				cancel()
				require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
				require.ErrorContains(t, err, resource)
			}
			end()
			require.True(t, waitFor(func() bool { return seen() >= 2*many }))
			worker.Quit()
			<-ended
			require.LessOrEqual(t, runs["in the alarm"], 1, "RabbitMQ has kept what was sent in the alarm")
			for i := range many {
				require.Equal(t, 1, runs[fmt.Sprint("first-", i)])
				require.Positive(t, runs[fmt.Sprint("callback-", i)])
			}
		})
	}
}
