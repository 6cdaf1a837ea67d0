package amqpadapter_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// logs is where Machinery's loggers write to, from the beginning: its brokers log in goroutines that nobody can wait for.
var logs logbook

// logbook keeps what was logged since a test has asked for it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func captureLogs() *logbook {
	logs.mu.Lock()
	defer logs.mu.Unlock()
	logs.text.Reset()
	return &logs
}

func TestLogsNameTasksAndNeverShowWhatTheyCarry(t *testing.T) {
	logs := captureLogs()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(2))
	ended := work(t, broker, 1, &processor{process: func(*tasks.Signature) error { return errors.New("secret is not int64") }})
	secret := tasks.Arg{Type: "string", Value: "secret"}
	publish(t, broker, task("unknown", "a", secret), task("add", "b", secret))
	sendRaw(t, cnf, `"secret`, `{"Name":"secret"`)
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 3 })
	broker.StopConsuming()
	eventually(t, closed(ended))

	require.NotContains(t, logs.String(), "secret")
	require.Contains(t, logs.String(), `task "unknown" (a)`)
	require.Contains(t, logs.String(), `task "add" (b)`)
	require.Contains(t, logs.String(), "a message that is no task")
}
