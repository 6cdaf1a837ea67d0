package main

import (
	"bytes"
	"context"
	"io"
	stdlog "log"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

// quietMachinery leaves Machinery and the Redis client their warnings and errors, and keeps the rest out of the demo's
// output.
func quietMachinery(stderr io.Writer) {
	silent := stdlog.New(io.Discard, "", 0)
	log.SetDebug(silent)
	log.SetInfo(silent)
	loud := stdlog.New(troubleWriter{stderr}, "machinery: ", 0)
	log.SetWarning(loud)
	log.SetError(loud)
	redis.SetLogger(redisLog{stdlog.New(troubleWriter{stderr}, "", 0)})
}

// redisLog is what the Redis client has to say.
type redisLog struct{ *stdlog.Logger }

// Printf implements the client's logger.
func (l redisLog) Printf(_ context.Context, format string, values ...any) {
	l.Logger.Printf(format, values...)
}

// harmless marks what is reported as trouble where there is none: that a worker stops; that a task is retried, which
// the demo does on purpose and counts; that a connection is closed which is not needed any more; and, on RabbitMQ, that
// a task which ended last in its group together with another one comes too late to start the chord's callback.
var harmless = [][]byte{
	[]byte("Stop channel"),
	[]byte("Stopping retry closure"),
	[]byte("Going to retry in"),
	[]byte("use of closed network connection"),
	[]byte("Already consumed"),
	[]byte("NOT_FOUND - no queue 'group_"),
	[]byte("ACCESS_REFUSED - queue 'group_"),
}

// troubleWriter passes on the lines of a log that are not harmless.
type troubleWriter struct {
	io.Writer
}

func (w troubleWriter) Write(line []byte) (int, error) {
	for _, mark := range harmless {
		if bytes.Contains(line, mark) {
			return len(line), nil
		}
	}
	return w.Writer.Write(line)
}
