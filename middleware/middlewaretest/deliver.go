package middlewaretest

import (
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// maxAttempts is how often a message is delivered that is not processed to its end.
	maxAttempts = 10
	// The pause before a message comes again doubles from the first to the last.
	firstPause = time.Second
	lastPause  = time.Minute
)

// ErrTooManyAttempts is the reason of a dead letter that was delivered ten times and never processed to its end.
var ErrTooManyAttempts = errors.New("too many attempts")

// errRejected is the reason of a dead letter whose task has ended and asked to be one, or whose arguments are
// unreadable.
var errRejected = errors.New("task was rejected")

// deliver has a processor process a message that was taken, and says what becomes of the message. A worker whose
// goroutine ends meanwhile has died.
func (b *broker) deliver(p *message, processor brokersiface.TaskProcessor) {
	isSettled := false
	defer func() {
		if !isSettled {
			b.memory.fail(p, 0)
		}
	}()
	b.process(p, processor)
	isSettled = true
}

func (b *broker) process(p *message, processor brokersiface.TaskProcessor) {
	s, err := decode(p.body)
	switch {
	case err != nil:
		b.memory.bury(p, err)
	case !b.IsTaskRegistered(s.Name):
		b.memory.acknowledge(p)
	case p.failures >= maxAttempts:
		b.abandon(p, processor, fmt.Errorf("%w: %d workers died of it, or with it", ErrTooManyAttempts, p.failures))
	default:
		err := middleware.Process(processor, s)
		b.memory.step("acknowledged the message")
		b.settle(p, processor, err)
	}
}

// settle deals with a message that was processed with such an error.
func (b *broker) settle(p *message, processor brokersiface.TaskProcessor, err error) {
	var deadLetter *middleware.DeadLetterError
	switch {
	case err == nil:
		b.memory.acknowledge(p)
	case errors.As(err, &deadLetter):
		b.memory.bury(p, deadLetter.Reason)
	case errors.Is(err, errs.ErrStopTaskDeletion), errors.Is(err, middleware.ErrUnreadable):
		b.memory.bury(p, fmt.Errorf("%w: %w", errRejected, err))
	case p.failures+1 >= maxAttempts:
		b.abandon(p, processor, fmt.Errorf("%w: %w", ErrTooManyAttempts, err))
	default:
		b.memory.fail(p, min(firstPause<<p.failures, lastPause))
	}
}

// abandon makes a dead letter of a message that will not be delivered again, and tells the processor.
func (b *broker) abandon(p *message, processor brokersiface.TaskProcessor, reason error) {
	if abandoner, ok := processor.(middleware.Abandoner); ok {
		abandoner.Abandon(mustDecode(p), reason)
	}
	b.memory.bury(p, reason)
}

// mustDecode returns a copy of a task that was decoded before.
func mustDecode(p *message) *tasks.Signature {
	s, err := decode(p.body)
	if err != nil {
		panic(err)
	}
	return s
}
