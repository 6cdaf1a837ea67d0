package adaptertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var optionClauses = []clause{
	{"OptionThatCannotBeMeantIsAnErrorThatNamesIt", optionThatCannotBeMeantIsAnErrorThatNamesIt},
	{"EveryOptionThatCannotBeMeantIsNamed", everyOptionThatCannotBeMeantIsNamed},
}

func optionThatCannotBeMeantIsAnErrorThatNamesIt(t *testing.T, f *fixture) {
	for _, c := range []struct {
		name    string
		options Options
	}{
		{"WithMaxAttempts", Options{MaxAttempts: new(0)}},
		{"WithMaxAttempts", Options{MaxAttempts: new(-1)}},
		{"WithBackoff", Options{Backoff: &Backoff{First: 0, Last: time.Second}}},
		{"WithBackoff", Options{Backoff: &Backoff{First: -time.Second, Last: time.Second}}},
		{"WithBackoff", Options{Backoff: &Backoff{First: 2 * time.Second, Last: time.Second}}},
		{"WithPublishTimeout", Options{PublishTimeout: new(time.Duration)}},
	} {
		f.refuses(t, c.options, c.name)
	}
}

func everyOptionThatCannotBeMeantIsNamed(t *testing.T, f *fixture) {
	f.refuses(t, Options{
		MaxAttempts:    new(0),
		Backoff:        &Backoff{First: 0, Last: time.Second},
		PublishTimeout: new(-time.Second),
	}, "WithMaxAttempts", "WithBackoff", "WithPublishTimeout")
}

func (f *fixture) refuses(t *testing.T, o Options, names ...string) {
	t.Helper()
	broker := f.broker(t, o)
	published := broker.Publish(t.Context(), Task("add", "a"))
	ended := make(chan error, 1)
	go func() {
		retry, err := broker.StartConsuming("worker", 1, &Processor{})
		assert.False(t, retry, "it would be the same error again")
		ended <- err
	}()
	started := Await(t, ended)
	for _, err := range []error{published, started} {
		require.ErrorIs(t, err, f.ErrConfig)
		for _, name := range names {
			assert.ErrorContains(t, err, name)
		}
	}
	assert.Zero(t, f.Waiting(t, f.queue()))
}
