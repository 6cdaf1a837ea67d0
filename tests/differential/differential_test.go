package differential

import (
	"fmt"
	"io"
	stdlog "log"
	"os"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	// Machinery logs every failed task with its stack.
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

func TestEveryValueUnderEveryType(t *testing.T) {
	bare, installed := newSides(t, transports[0])
	bare.work(t, bare.guarded())
	installed.work(t, installed.worker())
	for _, name := range types {
		for i, value := range values {
			arg := tasks.Arg{Type: name, Value: value}
			t.Run(fmt.Sprintf("%s from %d %T", name, i, value), func(t *testing.T) {
				compareArgument(t, bare, installed, fmt.Sprintf("%s %d", name, i), arg)
			})
		}
	}
}

// compareArgument sends an argument through eager brokers, whose senders learn all there is to know.
func compareArgument(t require.TestingT, bare, installed *side, name string, arg tasks.Arg) {
	problems := make([]string, 2)
	for i, s := range []*side{bare, installed} {
		problems[i] = s.send(func(server *machinery.Server) error {
			_, err := server.SendTask(&tasks.Signature{UUID: s.uuid(name), Name: "echo " + arg.Type, Args: []tasks.Arg{arg}})
			return err
		})
	}
	want, got := bare.outcome(name), installed.outcome(name)
	switch {
	case isRescued(arg):
		assert.Equal(t, []string{describe(arg.Value)}, got.Ran)
		return // its result is one that no backend keeps
	case problems[0] == panicked:
		assert.NotEmpty(t, problems[1])
		assert.NotEqual(t, panicked, problems[1])
	default:
		assert.Equal(t, problems[0], problems[1], "error of the send")
	}
	assert.Equal(t, want, got)
}

func TestEveryTransport(t *testing.T) {
	for _, tr := range transports {
		Run(t, tr)
	}
}
