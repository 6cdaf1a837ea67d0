package conformance_test

import (
	"io"
	stdlog "log"
	"os"
	"testing"

	machinerylog "github.com/RichardKnop/machinery/v2/log"

	"github.com/machinery-envelope/machinery-envelope/tests/conformance"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestMain(m *testing.M) {
	// Machinery logs every failed task with its stack.
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	services.RunInParallel(8)
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	for _, tr := range transports {
		conformance.Run(t, tr)
	}
}
