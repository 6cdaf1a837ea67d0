package delivery

import (
	"errors"

	"github.com/RichardKnop/machinery/v2/brokers/errs"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// An Outcome says what to do with a message after its task was processed.
type Outcome int

const (
	// Processed messages are acknowledged: the task has succeeded, has failed, or will be retried by Machinery.
	Processed Outcome = iota
	// Unfinished messages are delivered again after a pause, as often as the broker allows.
	Unfinished
	// Rejected messages go to the dead letters at once. The state of their task is FAILURE already, and processing the
	// task again would change nothing.
	Rejected
	// Refused messages go to the dead letters too, for the reason of a *middleware.DeadLetterError. The middleware has
	// set what state there is to set, and has logged it.
	Refused
)

// Classify returns the outcome for an error of middleware.Process.
func Classify(err error) Outcome {
	switch deadLetter := (*middleware.DeadLetterError)(nil); {
	case err == nil:
		return Processed
	case errors.As(err, &deadLetter):
		return Refused
	case errors.Is(err, errs.ErrStopTaskDeletion), errors.Is(err, middleware.ErrUnreadable):
		return Rejected
	default:
		return Unfinished
	}
}
