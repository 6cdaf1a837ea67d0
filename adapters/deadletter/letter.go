package deadletter

import (
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A Letter is a message in the dead letters.
type Letter struct {
	// ID tells the letter from the others of its store.
	ID string
	// Task is the task in Body; nil where Body holds none.
	Task *tasks.Signature
	// UUID is that of Task, else empty.
	UUID string
	// Queue is the queue that the message was received from or was to be sent to; empty where that is not known.
	Queue string
	// Reason is the text of the error for which the message is here. It can quote values.
	Reason string
	// Time is when the message became a dead letter, in UTC; zero where that is not known.
	Time time.Time
	// Body is the message as it was received, byte for byte.
	Body []byte
	// Attributes are what the broker keeps beside Body, such as the headers of an AMQP message; nil where that is
	// nothing.
	Attributes map[string]any
}
