package amqpadapter_test

import (
	"bytes"
	"errors"
	stdlog "log"
	"sync"
	"testing"

	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// logbook is a buffer that may be read while others write.
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

// captureLogs returns what is logged until the test ends.
func captureLogs(t *testing.T) *logbook {
	debug, info, warning := machinerylog.DEBUG, machinerylog.INFO, machinerylog.WARNING
	failure, fatal := machinerylog.ERROR, machinerylog.FATAL
	t.Cleanup(func() {
		machinerylog.SetDebug(debug)
		machinerylog.SetInfo(info)
		machinerylog.SetWarning(warning)
		machinerylog.SetError(failure)
		machinerylog.SetFatal(fatal)
	})
	captured := new(logbook)
	machinerylog.Set(stdlog.New(captured, "", 0))
	return captured
}

func TestLogsNameTasksAndNeverShowWhatTheyCarry(t *testing.T) {
	logs := captureLogs(t) // set back after the broker has ended
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
