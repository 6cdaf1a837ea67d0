package main

import (
	"io"
	stdlog "log"

	"github.com/RichardKnop/machinery/v2/log"
)

// quietMachinery leaves Machinery its warnings and errors, and keeps the rest out of the demo's output.
func quietMachinery(stderr io.Writer) {
	silent := stdlog.New(io.Discard, "", 0)
	log.SetDebug(silent)
	log.SetInfo(silent)
	loud := stdlog.New(stderr, "machinery: ", 0)
	log.SetWarning(loud)
	log.SetError(loud)
}
