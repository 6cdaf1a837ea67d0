package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Whatever a message says, a task gets arguments of its parameters' types or fails with an error; nothing panics.
func FuzzReceivedArguments(f *testing.F) {
	for _, args := range []string{
		`[]`, `null`, `[{}]`, `[{"Type":"string","Value":"x"}]`,
		`[{"Type":"string","Value":"{\"$envelope\":1,\"type\":\"shop.Order\",\"data\":{\"ID\":\"o-1\"}}"}]`,
		`[{"Type":"int8","Value":300},{"Type":"[]int8","Value":[1,300]},{"Type":"[]uint8","Value":"AQ=="},{"Type":"[]string","Value":null}]`,
		`[{"Name":"count","Type":"int64","Value":1},{"Name":"count","Type":"int64","Value":1}]`,
		`[{"Name":"count","Type":"float64","Value":1e400},{"Type":"bool","Value":true},{"Type":"string","Value":{}}]`,
	} {
		f.Add([]byte(args))
	}
	server := newServer(&recorder{})
	m, err := middleware.Install(server, registry())
	require.NoError(f, err)
	require.NoError(f, m.RegisterTask("struct", func(order, int8) error { return nil }))
	require.NoError(f, m.RegisterTask("any", func(...any) error { return nil }))
	require.NoError(f, m.RegisterTask("pointers", func(*order, *string, *[]int8) error { return nil }))
	require.NoError(f, m.RegisterTask("text", func(string, []byte, []string) error { return nil }))
	require.NoError(f, m.RegisterTask("named", func(int16, order) error { return nil }, middleware.Params("count", "order")))

	f.Fuzz(func(t *testing.T, message []byte) {
		decoder := json.NewDecoder(bytes.NewReader(message))
		decoder.UseNumber()
		var args []tasks.Arg
		if decoder.Decode(&args) != nil {
			return
		}
		for _, name := range server.GetRegisteredTaskNames() {
			fn, err := server.GetRegisteredTask(name)
			require.NoError(t, err)
			task, err := tasks.NewWithSignature(fn, &tasks.Signature{Args: args})
			if err != nil {
				continue // Machinery refuses it before the middleware sees it
			}
			_, err = task.Call()
			var panicked runtime.Error
			assert.False(t, errors.As(err, &panicked), "%v", err)
		}
	})
}
