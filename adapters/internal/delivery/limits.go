package delivery

import (
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// DefaultMaxMessage is the default of WithMaxMessage, in bytes. A message of that length has room for the longest
// envelope that a registry reads by default, with every quote in it escaped.
const DefaultMaxMessage = 2 * envelope.DefaultMaxBytes

// bytesPerPart is how long the parts of a message must be on average where they are many. Machinery writes no argument
// in less than 34 bytes; decoded, it takes some hundred at most.
const bytesPerPart = 16

// CheckSize returns envelope.ErrLimit for a message that is longer than WithMaxMessage allows.
func CheckSize(size, maxMessage int) error {
	if size <= maxMessage {
		return nil
	}
	return fmt.Errorf("%w: the message has %d bytes and may have %d, see WithMaxMessage", envelope.ErrLimit, size, maxMessage)
}

// checkParts returns envelope.ErrLimit for a message that would take memory out of proportion if it was decoded: three
// bytes of it can be a nested task, which takes some hundred in memory.
func checkParts(body []byte) error {
	if separators(body) <= middleware.MaxNestedTasks {
		return nil
	}
	counted := countParts(body)
	if counted.tasks > middleware.MaxNestedTasks {
		return fmt.Errorf("%w: more than %d tasks are nested in the message", envelope.ErrLimit, middleware.MaxNestedTasks)
	}
	if counted.others > max(middleware.MaxNestedTasks, len(body)/bytesPerPart) {
		return fmt.Errorf("%w: the message has %d parts, and fewer than %d bytes for each",
			envelope.ErrLimit, counted.others, bytesPerPart)
	}
	return nil
}
