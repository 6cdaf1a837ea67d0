package delivery

import (
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
)

// DecodeWithin is Decode for a message that may have so many bytes, see WithMaxMessage. A longer one is not looked at:
// the error wraps envelope.ErrLimit too.
func DecodeWithin(body []byte, maxMessage int) (*tasks.Signature, error) {
	if err := CheckSize(len(body), maxMessage); err != nil {
		return nil, fmt.Errorf("%w: %w", deadletter.ErrNoTask, err)
	}
	return Decode(body)
}

// Decode reads a task. Numbers stay as they were written, as Machinery expects: a float64 would round large integers.
//
// The error wraps deadletter.ErrNoTask, also envelope.ErrLimit for a message that would take memory out of proportion,
// and nothing else, because errors of encoding/json quote values. JSON without a name is no task: it would go round the
// queue for ever.
func Decode(body []byte) (*tasks.Signature, error) {
	if err := checkParts(body); err != nil {
		return nil, fmt.Errorf("%w: %w", deadletter.ErrNoTask, err)
	}
	s, err := taskjson.UnmarshalTask(body)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not the JSON of one", deadletter.ErrNoTask)
	}
	if s.Name == "" {
		return nil, fmt.Errorf("%w: it has no name", deadletter.ErrNoTask)
	}
	return s, nil
}
