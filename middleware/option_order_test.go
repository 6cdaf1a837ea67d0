package middleware_test

import (
	"context"
	"log/slog"
	"math/rand"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type silent struct{}

func (silent) Sent(context.Context, middleware.Observation)     {}
func (silent) Restored(context.Context, middleware.Observation) {}
func (silent) Failed(context.Context, middleware.Observation)   {}

type carriesNothing struct{}

func (carriesNothing) Inject(context.Context, middleware.Carrier) {}
func (carriesNothing) Extract(ctx context.Context, _ middleware.Carrier) context.Context {
	return ctx
}

func nothing(*tasks.Signature) {}

// options are all there are, those that differ by a value with two.
func options() []middleware.Option {
	return []middleware.Option{
		middleware.EnvelopeAll(), middleware.EnvelopeSlices(),
		middleware.WithPrePublish(nothing), middleware.WithPreTask(nothing),
		middleware.WithPropagator(carriesNothing{}), middleware.WithObserver(silent{}),
		middleware.WithLogger(slog.New(slog.DiscardHandler)), middleware.WithLogger(middleware.MachineryLogger()),
		middleware.WithDeadLetters(&letterBox{}), middleware.WithDeadLetterFailures(),
		middleware.RetryUnknown(time.Second, 1), middleware.RetryUnknown(time.Second, 2),
		middleware.RetryUnknownFunc(func(int) (time.Duration, bool) { return 0, false }),
		signed, signedWith(middleware.AcceptUnsigned()), signedWith(middleware.UnsignedResults(), middleware.WithMaxAge(1)),
	}
}

func TestTheOrderOfOptionsNeverMatters(t *testing.T) {
	t.Parallel()
	all := options()
	for i := range all {
		for j := i; j < len(all); j++ {
			for k := j; k < len(all); k++ {
				a, b, c := all[i], all[j], all[k]
				want := middleware.SettingsOf(a, b, c)
				for _, order := range [][]middleware.Option{{a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
					require.Equal(t, want, middleware.SettingsOf(order...), "options %d, %d and %d", i, j, k)
				}
			}
		}
	}
	together := append(all[:7:7], all[8], all[9], all[10], all[13])
	want := middleware.SettingsOf(together...)
	require.NotEqual(t, "error", want)
	for range 500 {
		rand.Shuffle(len(together), func(i, j int) { together[i], together[j] = together[j], together[i] })
		require.Equal(t, want, middleware.SettingsOf(together...))
	}
}

func TestAnOptionThatCountsOnceIsRefusedTwice(t *testing.T) {
	t.Parallel()
	for i, option := range options() {
		_, err := middleware.Install(newServer(&recorder{}), registry(), option, option)
		if maximum := i < 2 || i == 9; maximum {
			assert.NoError(t, err, "option %d", i)
			continue
		}
		assert.ErrorContains(t, err, "is given twice", "option %d", i)
	}
	_, err := middleware.Install(newServer(&recorder{}), registry(), signedWith(middleware.WithMaxAge(1), middleware.WithMaxAge(0)))
	assert.ErrorContains(t, err, "SignTasks: WithMaxAge is given twice")
}

func TestInstallRefusesARegistryWithAnOptionThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	server := newServer(&recorder{})
	broker := server.GetBroker()
	_, err := middleware.Install(server, envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxBytes: -1})), signed)
	require.ErrorIs(t, err, envelope.ErrRegistration)
	assert.ErrorContains(t, err, "MaxBytes is negative")
	assert.Same(t, broker, server.GetBroker())
}

type neverNil struct{}

func (neverNil) Error() string { return "never nil" }

func TestATaskWhoseErrorIsNeverNilIsRefused(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{})
	err := m.RegisterTask("t", func() (string, neverNil) { return "", neverNil{} })
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	assert.ErrorContains(t, err, "return error instead")
	assert.Error(t, m.RegisterTasks(map[string]any{"t": func() neverNil { return neverNil{} }}))
}
