package redisadapter_test

import (
	"bytes"
	"context"
	"errors"
	stdlog "log"
	"sync"
	"testing"

	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// capture is what was logged.
type capture struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *capture) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(text)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// captureLogs returns what is logged until the test ends.
func captureLogs(t *testing.T) *capture {
	debug, info, warning := machinerylog.DEBUG, machinerylog.INFO, machinerylog.WARNING
	failure, fatal := machinerylog.ERROR, machinerylog.FATAL
	t.Cleanup(func() {
		machinerylog.SetDebug(debug)
		machinerylog.SetInfo(info)
		machinerylog.SetWarning(warning)
		machinerylog.SetError(failure)
		machinerylog.SetFatal(fatal)
	})
	captured := &capture{}
	machinerylog.Set(stdlog.New(captured, "", 0))
	return captured
}

func TestLogsNameTasksAndNeverShowWhatTheyCarry(t *testing.T) {
	s, _ := embedded(t)
	logs := captureLogs(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"fails", "ends"})
	var seen journal
	work(t, broker, 1, &processor{process: func(signature *tasks.Signature) error {
		_ = seen.add(signature)
		return errors.New("secret is not int64")
	}})

	secret := tasks.Arg{Type: "string", Value: "secret"}
	require.NoError(t, s.client.RPush(context.Background(), s.cnf.DefaultQueue, `"secret`, `{"Name":"secret"`).Err())
	publish(t, broker, task("unknown", "a", secret), task("fails", "b", secret), task("ends", "c", secret))
	seen.awaitUUIDs(t, "b", "c")
	broker.StopConsuming()

	require.NotContains(t, logs.String(), "secret")
	require.Contains(t, logs.String(), `"unknown" ("a")`)
	require.Contains(t, logs.String(), `"fails" ("b")`)
	require.Contains(t, logs.String(), "16 bytes")
}
