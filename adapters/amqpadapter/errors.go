package amqpadapter

import "errors"

var (
	// ErrConfig is returned by Publish and StartConsuming when the configuration lacks what RabbitMQ needs.
	ErrConfig = errors.New("incomplete AMQP configuration")
	// ErrUnroutable is returned by Publish when no queue is bound to the exchange under the task's routing key, and by
	// DeadLetters.Replay when the queue from which a task came is gone. Nothing was published.
	ErrUnroutable = errors.New("no queue takes the message")
	// ErrNotConfirmed is returned by Publish when RabbitMQ refused the task, or did not confirm it in time. In the
	// latter case it may have the task all the same.
	ErrNotConfirmed = errors.New("message was not confirmed")
	// ErrTooLarge is returned by Publish for a routing key or a header name of more than 255 bytes, and for headers
	// that do not fit in an AMQP frame.
	ErrTooLarge = errors.New("too large for AMQP")
	// ErrClosed is returned by Publish and StartConsuming after Close.
	ErrClosed = errors.New("broker is closed")
)

// These are the reasons for which a broker gives a message to the dead letters. A worker's own error comes with the last.
var (
	// ErrNoTask is the reason of a message that is no JSON, or names no task.
	ErrNoTask = errors.New("message is no task")
	// ErrTooManyAttempts is the reason of a task that time and again was not processed to its end: the worker died, or
	// could not write its state.
	ErrTooManyAttempts = errors.New("task did not come to an end in too many attempts")
	// ErrRejected is the reason of a task that the worker wants nobody to try again.
	ErrRejected = errors.New("worker rejected the task")
)
