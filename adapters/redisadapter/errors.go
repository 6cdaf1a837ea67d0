package redisadapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrConfig is returned by the first use of a broker, a backend, a store or dead letters that were made with an
	// option that cannot be meant. It names the option and its value.
	ErrConfig = errors.New("invalid configuration")
	// ErrClosed is returned by Publish and StartConsuming after Close.
	ErrClosed = errors.New("broker is closed")
	// ErrForeignBroker is returned by Quit for a worker whose server has another package's broker.
	ErrForeignBroker = errors.New("broker of the server is not redisadapter's")
)

// These are the reasons for which a broker gives a task to the dead letters, beside deadletter.ErrNoTask. The error of
// the worker comes with them.
var (
	// ErrTooManyAttempts is the reason of a task that was not processed to its end as often as WithMaxAttempts allows:
	// the worker died, or could not write its state.
	ErrTooManyAttempts = errors.New("task did not come to an end in too many attempts")
	// ErrRejected is the reason of a task that has failed and is not to be tried again: its arguments are unreadable,
	// or the worker returned Machinery's ErrStopTaskDeletion.
	ErrRejected = errors.New("worker rejected the task")
)

// invalid returns an ErrConfig about an option, given with its value.
func invalid(option, rule string) error {
	return fmt.Errorf("%w: redisadapter.%s: %s", ErrConfig, option, rule)
}

// unreadable is the error of a json.Decoder about what stands under a key, as one that comes again however often the key
// is read. The decoder says io.EOF where the text ends too early, as a connection does that is lost.
func unreadable(text []byte, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = json.Unmarshal(text, new(json.RawMessage))
	}
	return fmt.Errorf("json: %w", err)
}
