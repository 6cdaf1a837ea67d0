package adaptertest

import (
	"errors"
	"testing"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
)

var logClauses = []clause{
	{"LogNamesTasksAndNeverShowsWhatTheyCarry", logNamesTasksAndNeverShowsWhatTheyCarry},
}

func logNamesTasksAndNeverShowsWhatTheyCarry(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce, MaxAttempts: new(2)})
	Start(t, broker, func(s *tasks.Signature) error {
		switch s.UUID {
		case "fails":
			return errors.New("secret is not int64")
		case "unreadable":
			return unreadable("secret")
		case "kept":
			return errs.ErrStopTaskDeletion
		default:
			panic(errors.New("secret"))
		}
	})
	secret := tasks.Arg{Type: "string", Value: "secret"}
	f.Enqueue(t, f.queue(), []byte(`"secret`), []byte(`{"Name":"secret"`), []byte(`{"Name":"add","ETA":"secret"}`))
	Publish(t, broker, Task("unknown", "u", secret), Task("add", "fails", secret), Task("add", "panics", secret),
		Task("add", "unreadable", secret), Task("add", "kept", secret))
	awaitLetters(t, f.DeadLetters(t), 7)
	broker.StopConsuming()

	assert.NotContains(t, f.log.String(), "secret")
	assert.NotEmpty(t, f.log.Lines("task=unknown", "uuid=u"), f.log)
	for _, uuid := range []string{"fails", "panics", "unreadable", "kept"} {
		assert.NotEmpty(t, f.log.Lines("task=add", "uuid="+uuid, "queue="+f.queue()), f.log)
	}
	assert.Len(t, f.log.Lines("level=ERROR", "uuid=fails"), 1, "a task that is given up is an error: %s", f.log)
	assert.Len(t, f.log.Lines("level=ERROR", "message is no task"), 3, f.log)
}
