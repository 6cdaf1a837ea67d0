package middleware_test

import (
	"bytes"
	stdlog "log"
	"log/slog"
	"testing"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/stretchr/testify/assert"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestMachineryLoggerWritesEachLevelToMachinerysLoggerOfThatLevel(t *testing.T) {
	var lines bytes.Buffer
	errors, warnings, infos, debugs := log.ERROR, log.WARNING, log.INFO, log.DEBUG
	t.Cleanup(func() { log.ERROR, log.WARNING, log.INFO, log.DEBUG = errors, warnings, infos, debugs })
	log.ERROR = stdlog.New(&lines, "ERROR ", 0)
	log.WARNING = stdlog.New(&lines, "WARNING ", 0)
	log.INFO = stdlog.New(&lines, "INFO ", 0)
	log.DEBUG = stdlog.New(&lines, "DEBUG ", 0)

	logger := middleware.MachineryLogger().With("task", "orders.price")
	logger.Error("dead letters failed", "uuid", "task 1")
	logger.Warn("cannot reach the server")
	logger.Info("reached again", slog.Group("queue", "name", "orders"))
	logger.WithGroup("message").Debug("bytes", "size", 3)
	middleware.MachineryLogger().Info("nothing else to say")

	assert.Equal(t, `ERROR dead letters failed task=orders.price uuid="task 1"
WARNING cannot reach the server task=orders.price
INFO reached again task=orders.price queue.name=orders
DEBUG bytes task=orders.price message.size=3
INFO nothing else to say
`, lines.String())
}
