package main

import (
	"bytes"
	"io"
	stdlog "log"

	"github.com/RichardKnop/machinery/v2/log"
)

// quietMachinery leaves Machinery its warnings and errors, and keeps the rest out of the demo's output.
func quietMachinery(stderr io.Writer) {
	silent := stdlog.New(io.Discard, "", 0)
	log.SetDebug(silent)
	log.SetInfo(silent)
	loud := stdlog.New(troubleWriter{stderr}, "machinery: ", 0)
	log.SetWarning(loud)
	log.SetError(loud)
}

// harmless marks what Machinery reports as trouble where there is none: that a worker stops; that a task is retried,
// which the demo does on purpose and counts; and, on RabbitMQ, that a task which ended last in its group together with
// another one comes too late to start the chord's callback.
var harmless = [][]byte{
	[]byte("Stop channel"),
	[]byte("Stopping retry closure"),
	[]byte("Going to retry in"),
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
