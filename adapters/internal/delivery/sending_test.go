package delivery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

var (
	errDown = errors.New("down")
	pauses  = backoff.Policy{First: time.Second, Last: time.Minute}
)

func always(error) bool { return true }

func TestDeliveryIsFoundByWhateverIsSentForIt(t *testing.T) {
	s := &tasks.Signature{
		OnSuccess:     []*tasks.Signature{{}},
		OnError:       []*tasks.Signature{{}},
		ChordCallback: &tasks.Signature{},
	}
	d := delivery.Begin(t.Context(), s)
	for _, sent := range []*tasks.Signature{s, s.OnSuccess[0], s.OnError[0], s.ChordCallback} {
		require.Same(t, d, delivery.SentFor(t.Context(), sent))
	}
	require.Nil(t, delivery.SentFor(t.Context(), &tasks.Signature{}))
	require.Nil(t, delivery.SentFor(t.Context(), nil))
	require.NoError(t, d.End())
	require.Nil(t, delivery.SentFor(t.Context(), s))
}

func TestSendIsRepeatedUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := delivery.Begin(t.Context(), &tasks.Signature{})
		tries := 0
		require.NoError(t, d.Send(pauses, always, func() error {
			if tries++; tries < 100 {
				return errDown
			}
			return nil
		}))
		require.Equal(t, 100, tries)
		require.NoError(t, d.End())
	})
}

func TestDeliveryIsKeptWhereTheWorkerStopsBeforeTheSendHasSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		d := delivery.Begin(stopping, &tasks.Signature{})
		require.ErrorIs(t, d.Send(pauses, always, func() error { return errDown }), errDown)
		require.ErrorIs(t, d.End(), errDown)
	})
}

func TestErrorThatCannotPassEndsASendAtOnce(t *testing.T) {
	d := delivery.Begin(t.Context(), &tasks.Signature{})
	never := func(error) bool { return false }
	require.ErrorIs(t, d.Send(pauses, never, func() error { return errDown }), errDown)
	require.NoError(t, d.End())
}
