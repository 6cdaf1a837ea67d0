package middleware

import "github.com/RichardKnop/machinery/v2/tasks"

// A Redeliverer is a broker that delivers a task again by itself when processing it has returned an error, with pauses
// and a limit of its own. The middleware gives it the error then, so that its settings hold. Other brokers would lose
// the task or stop at an error: for them the middleware publishes the task again, ten times at most. Install finds a
// Redeliverer behind brokers that decorate it and have Unwrap() brokersiface.Broker. The brokers of packages
// redisadapter and amqpadapter are Redeliverers.
//
// It gets no error of a task that has run, failed or not, but ErrStopped, nor of one that is refused for its signature
// or whose arguments are unreadable, but a *DeadLetterError where it is a DeadLetterBroker too: those have ended, and else the
// middleware has made dead letters of them. A task whose payload store is down (envelope.ErrUnavailable), or of a type
// that is not known yet (see RetryUnknown), has ended too: Machinery's worker has published it again, to come later.
type Redeliverer interface {
	// Redelivers reports whether the broker delivers tasks again by itself. It is asked whenever consuming starts.
	Redelivers() bool
}

// An Abandoner is told by a Redeliverer which tasks it will not deliver again. The processor that the middleware gives
// to a broker's StartConsuming is one.
type Abandoner interface {
	// Abandon sets the state of a task to FAILURE with the reason, and tells the Observer and the log. It keeps no dead
	// letter: the broker does.
	Abandon(s *tasks.Signature, reason error)
}
