package v1_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/adopt/v1"
)

func TestTheApplicationDoesTheSameBeforeAndAfter(t *testing.T) {
	url := "redis://" + miniredis.RunT(t).Addr()
	order, want := v1.Order{ID: "o-1", Qty: 3}, v1.Quote{OrderID: "o-1", Cents: 750}

	before, err := v1.Before(url, order)
	require.NoError(t, err)
	require.Equal(t, want, before)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	after, err := v1.After(ctx, url, order)
	require.NoError(t, err)
	require.Equal(t, want, after)
}

func TestTasksThatV1HasLeftInTheQueueAreDone(t *testing.T) {
	url := "redis://" + miniredis.RunT(t).Addr()
	uuid, err := v1.Leave(url, "echo", "text")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := v1.Find(ctx, url, "echo", uuid)
	require.NoError(t, err)
	require.Equal(t, "text", text)
}
