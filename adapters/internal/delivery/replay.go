package delivery

import (
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Verify asks the function of WithVerify, which may be nil, about a task that is to be replayed. The error wraps
// deadletter.ErrRefused.
func Verify(verify func(*tasks.Signature) error, s *tasks.Signature) error {
	if verify == nil {
		return nil
	}
	if err := verify(s); err != nil {
		return fmt.Errorf("%w: %w", deadletter.ErrRefused, err)
	}
	return nil
}

// AsSent returns the body of a task as it was sent at first, to run now: without the counts of what was tried, and
// without an ETA that has passed. It leaves the body as it is where there is none of that.
func AsSent(body []byte, s *tasks.Signature) ([]byte, error) {
	late := s.ETA != nil && !s.ETA.After(time.Now())
	if !middleware.ForgetAttempts(s) && !late {
		return body, nil
	}
	if late {
		s.ETA = nil
	}
	return taskjson.MarshalTask(s)
}
