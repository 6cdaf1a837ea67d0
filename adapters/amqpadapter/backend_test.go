package amqpadapter_test

import (
	"bytes"
	stdlog "log"
	"testing"

	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// It does not run beside other tests, which use Machinery's log too.
func TestBackendNamesItsLimitsAndItsCompanion(t *testing.T) {
	var text bytes.Buffer
	before := machinerylog.WARNING
	machinerylog.SetWarning(stdlog.New(&text, "", 0))
	defer machinerylog.SetWarning(before)
	amqpadapter.NewBackend(offline())
	require.Contains(t, text.String(), "permit.transient_nonexcl_queues")
	require.Contains(t, text.String(), "redisadapter.NewBackend")
}
