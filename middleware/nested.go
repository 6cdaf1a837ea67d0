package middleware

import (
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// MaxNestedTasks is how many tasks may be nested in one, as its callbacks, their callbacks and so on: four for each
// task of the longest chain that JSON can nest. Sending a task with more is an error, and one that arrives is refused
// before anything else is done with it, with envelope.ErrLimit: three bytes of a message can be a nested task, which
// takes some hundred in memory.
const MaxNestedTasks = 20_000

// checkNested returns envelope.ErrLimit for a task with more than MaxNestedTasks.
func checkNested(s *tasks.Signature) error {
	if countNested(s, 0) > MaxNestedTasks {
		return tooManyNested(s)
	}
	return nil
}

func tooManyNested(s *tasks.Signature) error {
	return fmt.Errorf("task %q: %w: more than %d tasks are nested in one", s.Name, envelope.ErrLimit, MaxNestedTasks)
}

// countNested adds the tasks nested in s to those found so far. It goes no further than it must.
func countNested(s *tasks.Signature, found int) int {
	for nested := range callbacks(s) {
		if found++; found > MaxNestedTasks {
			return found
		}
		found = countNested(nested, found)
	}
	return found
}

// withoutCallbacks returns the task alone where so many tasks are nested in it that it would be written as a dead
// letter many times as long as its message.
func withoutCallbacks(s *tasks.Signature) *tasks.Signature {
	if countNested(s, 0) <= MaxNestedTasks {
		return s
	}
	alone := *s
	alone.OnSuccess, alone.OnError, alone.ChordCallback = nil, nil, nil
	return &alone
}
