package amqpadapter

import (
	"log/slog"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestLogNamesTheTaskOfAMessage(t *testing.T) {
	t.Parallel()
	const body = `{"UUID":"task_1","Name":"add"}`
	for name, c := range map[string]struct {
		body       string
		maxMessage int
		want       string
	}{
		"task":      {body, len(body), " task=add uuid=task_1"},
		"too large": {body, len(body) - 1, ""},
		"no task":   {"{", len(body), ""},
	} {
		var log strings.Builder
		naming(slog.New(slog.NewTextHandler(&log, nil)), amqp.Delivery{Body: []byte(c.body)}, c.maxMessage).Warn("late")
		require.True(t, strings.HasSuffix(log.String(), "msg=late"+c.want+"\n"), "%s: %s", name, log.String())
	}
}
