package amqpadapter

import "errors"

var (
	// ErrConfig is returned by Publish and StartConsuming when the configuration lacks what RabbitMQ needs, or an
	// option cannot be meant. It names the field, or the option and its value.
	ErrConfig = errors.New("unusable AMQP configuration")
	// ErrUnroutable is returned by Publish when no queue is bound to the exchange under the task's routing key. Nothing
	// was published. DeadLetters.Replay returns it within deadletter.ErrUnknownQueue.
	ErrUnroutable = errors.New("no queue takes the message")
	// ErrNotConfirmed is returned by Publish when RabbitMQ refused the task, or did not confirm it in time. In the
	// latter case it may have the task all the same.
	ErrNotConfirmed = errors.New("message was not confirmed")
	// ErrTooLarge is returned by Publish for a routing key or a header name of more than 255 bytes, and for headers
	// that do not fit in an AMQP frame, are nested more than 32 deep, or of which more than 8,000 stand side by side.
	ErrTooLarge = errors.New("too large for AMQP")
	// ErrClosed is returned by Publish, StartConsuming and the methods of DeadLetters after Close.
	ErrClosed = errors.New("broker is closed")
	// ErrNotListable is returned by GetPendingTasks for a queue that is not a classic one and not empty.
	ErrNotListable = errors.New("tasks cannot be listed without counting as delivered")
	// ErrForeignBroker is returned by Quit for a worker whose server has another package's broker.
	ErrForeignBroker = errors.New("broker of the server is not amqpadapter's")
)

// These are reasons of dead letters, beside deadletter.ErrNoTask. The error of a worker comes with them.
var (
	// ErrTooManyAttempts is the reason of a task that was not processed to its end in as many attempts as
	// WithMaxAttempts allows: the worker was lost, or processing returned an error.
	ErrTooManyAttempts = errors.New("task did not come to an end in too many attempts")
	// ErrRejected is the reason of a task that the worker wants nobody to try again.
	ErrRejected = errors.New("worker rejected the task")
)
