package middleware_test

import (
	"errors"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestWaitingForATypeDoesNotUseUpTheAttemptsOfABackendInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorkplace(t, middleware.RetryUnknown(time.Minute, 100))
	require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
	w.backend.received = errors.New("down")
	s := signatureOf("t", orderOnWire)
	s.Headers = tasks.Headers{middleware.UnknownHeader: "50"}
	require.NoError(t, w.deliver(s))
	assert.Empty(t, w.dead.tasks)
	require.Len(t, w.broker.published, 1)
	assert.Equal(t, "1", w.broker.published[0].Headers[middleware.AttemptsHeader])
	assert.Equal(t, "50", w.broker.published[0].Headers[middleware.UnknownHeader])
}

func TestForgetAttemptsTakesTheCountsAndNothingElse(t *testing.T) {
	t.Parallel()
	headers := tasks.Headers{middleware.AttemptsHeader: "3", middleware.UnknownHeader: "2", middleware.UnavailableHeader: "5", "trace": "x"}
	s := &tasks.Signature{Headers: headers}
	assert.True(t, middleware.ForgetAttempts(s))
	assert.Equal(t, tasks.Headers{"trace": "x"}, s.Headers)
	assert.Len(t, headers, 4, "whoever shares the headers keeps them")

	untouched := &tasks.Signature{}
	assert.False(t, middleware.ForgetAttempts(untouched))
	assert.Nil(t, untouched.Headers)
}
