package rabbitmq_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/adopt/rabbitmq"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestTheHandlersSeeTheSameBeforeAndAfter(t *testing.T) {
	url := services.AMQP(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, run := range map[string]func(context.Context, string, string, rabbitmq.Mail, rabbitmq.Audit) (int64, error){
		"before": rabbitmq.Before, "after": rabbitmq.After,
	} {
		t.Run(name, func(t *testing.T) {
			queue := "adopt-" + uuid.NewString()
			removeQueue(t, url, queue)
			audit := make(rabbitmq.Audit, 10)
			length, err := run(ctx, url, queue, rabbitmq.Mail{To: "ann", Text: "hello"}, audit)
			require.NoError(t, err)
			require.Equal(t, int64(5), length)
			require.Equal(t, []string{"publish mail.send", "begin ann", "end ann"}, seen(audit))

			_, err = run(ctx, url, queue, rabbitmq.Mail{To: "bob"}, audit)
			require.ErrorContains(t, err, "nothing to tell bob")
			require.Equal(t, []string{"publish mail.send", "begin bob", "error nothing to tell bob", "end bob"}, seen(audit))
		})
	}
}

func seen(audit rabbitmq.Audit) (seen []string) {
	for len(audit) > 0 {
		seen = append(seen, <-audit)
	}
	return seen
}

func removeQueue(t *testing.T, url, queue string) {
	t.Cleanup(func() {
		connection, err := amqp.Dial(url)
		require.NoError(t, err)
		defer func() { _ = connection.Close() }()
		channel, err := connection.Channel()
		require.NoError(t, err)
		_, err = channel.QueueDelete(queue, false, false, false)
		require.NoError(t, err)
		require.NoError(t, channel.ExchangeDelete(queue, false, false))
	})
}
