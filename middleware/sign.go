package middleware

import (
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware/internal/sign"
)

// SignatureHeader ("envelope-signature") carries, with SignTasks, the signature of a task: the version of the format,
// when the task was signed (in seconds since 1970), its ETA ("-" if it has none) and the MAC in base64, with spaces
// between them.
const SignatureHeader = sign.Header

// CreatedHeader ("envelope-created") says, with SignTasks, when a task was sent first, in RFC 3339. Retries keep it. It
// is the CreatedAt of the state in which the task ends.
const CreatedHeader = sign.CreatedHeader

var (
	// ErrUnsigned is the reason why a task, or the result of one, is refused that carries no signature.
	ErrUnsigned = sign.ErrUnsigned
	// ErrForged is the reason why a task, or the result of one, is refused whose signature is not right: it was
	// changed, moved from elsewhere, or signed with a key that is not known here.
	ErrForged = sign.ErrForged
	// ErrExpired is the reason why a task is refused that was signed longer ago than WithMaxAge allows.
	ErrExpired = sign.ErrExpired
)

// A MAC makes and checks message authentication codes under a key that senders and workers share. It is called by many
// goroutines at the same time.
//
// Tink's tink.MAC is one. With a keyset of it, keys are rotated: tasks that were signed with any key of the keyset are
// good.
type MAC interface {
	// ComputeMAC returns the code of data. It must not keep data.
	ComputeMAC(data []byte) ([]byte, error)
	// VerifyMAC returns an error unless mac is the code of data. Any error is taken for a forgery. It must not keep or
	// change data.
	VerifyMAC(mac, data []byte) error
}

// A SignOption configures SignTasks.
type SignOption func(*signing) error

// SignTasks signs every task that is published through the server's broker, with its callbacks, and every result and
// failure in the result backend. Tasks that arrive without a good signature never run, whether they were registered
// through the middleware or not: they end in FAILURE and in the dead letters, with ErrUnsigned or ErrForged. Results
// without one reach neither Await nor the callback of a chord.
//
// All processes on a queue need the same key. Set the server's result backend before Install: it is decorated.
//
// It does not keep anybody from sending a signed task a second time: see WithMaxAge. SECURITY.md says what else it is
// good for, and what it is not.
func SignTasks(mac MAC, opts ...SignOption) Option {
	return func(s *settings) error {
		if mac == nil {
			return errors.New("SignTasks needs a MAC")
		}
		wanted := &signing{Signer: sign.Signer{MAC: mac, Unsigned: countHeaders}}
		for i, option := range opts {
			if option == nil {
				return fmt.Errorf("SignTasks: option %d is nil", i+1)
			}
			if err := option(wanted); err != nil {
				return fmt.Errorf("SignTasks: %w", err)
			}
		}
		s.signing = wanted
		return s.once("SignTasks")
	}
}

// AcceptUnsigned lets tasks and results in that carry no signature. It is for the time of a migration to SignTasks.
// What carries a wrong one stays out.
func AcceptUnsigned() SignOption {
	return func(s *signing) error {
		s.AcceptUnsigned = true
		return nil
	}
}

// UnsignedResults leaves results and failures unsigned. It is for the first step of a migration to SignTasks, together
// with AcceptUnsigned, while there are processes that do not know SignTasks yet: they cannot read signed results.
// Signed tasks they can.
func UnsignedResults() SignOption {
	return func(s *signing) error {
		s.unsignedResults = true
		return nil
	}
}

// WithMaxAge refuses tasks, with ErrExpired, that arrive later than d after they were signed, or after their ETA. That
// bounds how long someone who has recorded a task can send it again; and how long tasks may wait in the queue. Retries
// count anew. The clocks of senders and workers must agree to well within d. 0, the default, is no limit.
func WithMaxAge(d time.Duration) SignOption {
	return func(s *signing) error {
		if d < 0 {
			return fmt.Errorf("WithMaxAge(%v): an age cannot be negative", d)
		}
		if s.maxAgeGiven {
			return errors.New("WithMaxAge is given twice")
		}
		s.maxAgeGiven = true
		s.MaxAge = d
		return nil
	}
}

// signing is what SignTasks asks for. Without it there is none: then the methods that may be called on nil do nothing.
type signing struct {
	sign.Signer
	unsignedResults bool
	maxAgeGiven     bool
}

// sign gives a task that is ready to be published through b, and whose map of headers is its own, its signature. It may be
// called on nil.
func (g *signing) sign(b brokersiface.Broker, s *tasks.Signature, now time.Time) error {
	if g == nil {
		return nil
	}
	adjustRoutingKey(b, s)
	setOwnHeader(s, CreatedHeader, sign.Created(s, now))
	text, err := g.Task(s, now)
	if err != nil {
		return fmt.Errorf("sign task %q: %w", s.Name, err)
	}
	setOwnHeader(s, SignatureHeader, text)
	return nil
}

// adjustRoutingKey fills in the routing key as the broker will: it is signed. The eager broker has none, and would
// panic.
func adjustRoutingKey(b brokersiface.Broker, s *tasks.Signature) {
	if _, ok := b.(eager.Mode); !ok {
		b.AdjustRoutingKey(s)
	}
}

// Verify returns nil if a worker would take a task, given as it was received, for its signature, and ErrUnsigned,
// ErrForged or ErrExpired, wrapped, if it would not. Without SignTasks that is nil, unless more than MaxNestedTasks are
// nested in it (envelope.ErrLimit). Ask before sending a dead letter again through the server, which would sign it.
func (m *Middleware) Verify(s *tasks.Signature) error { return m.check(s) }

// verify may be called on nil.
func (g *signing) verify(s *tasks.Signature) error {
	if g == nil {
		return nil
	}
	if err := g.VerifyTask(s, time.Now()); err != nil {
		return fmt.Errorf("task %q: %w%s", s.Name, err, signingCure(err))
	}
	return nil
}

// signingCure says what lets a task in that was refused for its signature, if nobody has forged it.
func signingCure(err error) string {
	switch {
	case errors.Is(err, ErrUnsigned):
		return ": let its sender have `middleware.SignTasks(mac)`"
	case errors.Is(err, ErrForged):
		return ": unless it was changed, give sender and worker one key"
	case errors.Is(err, ErrExpired):
		return ": see `middleware.WithMaxAge`"
	}
	return ""
}
