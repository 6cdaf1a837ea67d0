package scalars_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/adopt/scalars"
)

func TestTasksInTheQueueAreDoneBesideNewOnes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })

	sender := scalars.NewServer(client)
	require.NoError(t, scalars.RegisterBefore(sender))
	old, err := scalars.SendBefore(sender) // is in the queue while the workers are exchanged
	require.NoError(t, err)

	server := scalars.NewServer(client)
	m, err := scalars.RegisterAfter(server)
	require.NoError(t, err)
	worker := server.NewWorker("orders", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		<-ended
	})
	added, err := scalars.SendAfter(ctx, m)
	require.NoError(t, err)
	for _, result := range []middleware.Result{old, added} {
		cents, err := middleware.Await[int64](ctx, m, result)
		require.NoError(t, err)
		require.Equal(t, int64(750), cents)
	}
}
