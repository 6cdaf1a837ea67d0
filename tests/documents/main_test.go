package documents_test

import (
	"io"
	stdlog "log"
	"os"
	"testing"

	machinerylog "github.com/RichardKnop/machinery/v2/log"
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	os.Exit(m.Run())
}
