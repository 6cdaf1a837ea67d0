package middleware

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// SignatureHeader carries, with SignTasks, the signature of a task: the version
// of the format, when the task was signed (in seconds since 1970), its ETA ("-"
// if it has none) and the MAC in base64, with spaces between them.
const SignatureHeader = "envelope-signature"

var (
	// ErrUnsigned is the reason why a task, or the result of one, is refused
	// that carries no signature.
	ErrUnsigned = errors.New("not signed")
	// ErrForged is the reason why a task, or the result of one, is refused whose
	// signature is not right: it was changed, moved from elsewhere, or signed
	// with a key that is not known here.
	ErrForged = errors.New("signature is not right")
	// ErrExpired is the reason why a task is refused that was signed longer ago
	// than MaxAge allows.
	ErrExpired = errors.New("signed too long ago")
)

// A MAC makes and checks message authentication codes under a key that senders
// and workers share. It is called by many goroutines at the same time.
//
// Tink's tink.MAC is one. With a keyset of it, keys are rotated: tasks that were
// signed with any key of the keyset are good.
type MAC interface {
	// ComputeMAC returns the code of data. It must not keep data.
	ComputeMAC(data []byte) ([]byte, error)
	// VerifyMAC returns an error unless mac is the code of data. Any error is
	// taken for a forgery. It must not keep or change data.
	VerifyMAC(mac, data []byte) error
}

// signing is what SignTasks and the options around it ask for.
type signing struct {
	wanted          bool
	mac             MAC
	acceptUnsigned  bool
	unsignedResults bool
	maxAge          time.Duration
}

// SignTasks signs every task that is published through the server's broker, with
// its callbacks, and every result and failure in the result backend. Tasks that
// arrive without a good signature never run, whether they were registered
// through the middleware or not: they end in FAILURE and in the dead letters,
// with ErrUnsigned or ErrForged. Results without one reach neither Await nor the
// callback of a chord.
//
// All processes on a queue need the same key. Set the server's result backend
// before Install: it is decorated.
//
// It does not keep anybody from sending a signed task a second time: see MaxAge.
// SECURITY.md says what else it is good for, and what it is not.
func SignTasks(mac MAC) Option {
	return func(m *Middleware) { m.signing.wanted, m.signing.mac = true, mac }
}

// AcceptUnsigned lets tasks and results in that carry no signature. It is for the
// time of a migration to SignTasks. What carries a wrong one stays out.
func AcceptUnsigned() Option {
	return func(m *Middleware) { m.signing.acceptUnsigned = true }
}

// UnsignedResults leaves results and failures unsigned. It is for the first step
// of a migration to SignTasks, together with AcceptUnsigned, while there are
// processes that do not know SignTasks yet: they cannot read signed results.
// Signed tasks they can.
func UnsignedResults() Option {
	return func(m *Middleware) { m.signing.unsignedResults = true }
}

// MaxAge refuses tasks, with ErrExpired, that arrive later than d after they were
// signed, or after their ETA. That bounds how long someone who has recorded a
// task can send it again; and how long tasks may wait in the queue. Retries count
// anew. The clocks of senders and workers must agree to well within d.
func MaxAge(d time.Duration) Option {
	return func(m *Middleware) { m.signing.maxAge = d }
}

// check returns an error where the options cannot do what they ask for.
func (s *signing) check() error {
	switch {
	case s.wanted && s.mac == nil:
		return errors.New("SignTasks needs a MAC")
	case !s.wanted && *s != signing{}:
		return errors.New("AcceptUnsigned, UnsignedResults and MaxAge need SignTasks")
	case s.maxAge < 0:
		return errors.New("MaxAge is negative")
	default:
		return nil
	}
}

// adjustRoutingKey fills in the routing key as the broker will: it is signed.
// The eager broker has none, and would panic.
func adjustRoutingKey(b brokersiface.Broker, s *tasks.Signature) {
	if _, ok := b.(eager.Mode); !ok {
		b.AdjustRoutingKey(s)
	}
}

// sign gives a task that is ready to be published its signature. It does
// nothing without SignTasks.
func (m *Middleware) sign(s *tasks.Signature) error {
	if !m.signing.wanted {
		return nil
	}
	return m.signAt(s, time.Now())
}

func (m *Middleware) signAt(s *tasks.Signature, now time.Time) error {
	adjustRoutingKey(m.inner, s)
	stamp := newStamp(now, etaText(s.ETA))
	form := formOf(s, stamp)
	defer form.free()
	mac, err := form.compute(m.signing.mac)
	if err != nil {
		return fmt.Errorf("sign task %q: %w", s.Name, err)
	}
	setHeader(s, SignatureHeader, stamp.String()+" "+mac)
	return nil
}

// formOf is what is signed of a task. Our own header is left out, and the counts
// of attempts: who can change those can as well drop the task, and without them
// dead letters can be sent again as they are.
func formOf(s *tasks.Signature, stamp stamp) *signedForm {
	form := newSignedForm(taskForm)
	form.text(stamp.String())
	form.task(s, stamp.eta, SignatureHeader, AttemptsHeader, UnknownHeader)
	return form
}

// compute returns the MAC of the form in base64.
func (f *signedForm) compute(mac MAC) (string, error) {
	if f.err != nil {
		return "", f.err
	}
	code, err := mac.ComputeMAC(f.bytes)
	return base64.StdEncoding.EncodeToString(code), err
}

// verify returns ErrForged unless text is the MAC of the form in base64.
func (f *signedForm) verify(mac MAC, text string) error {
	code, err := base64.StdEncoding.Strict().DecodeString(text)
	// One form of a signature is enough, but the decoder ignores ends of lines.
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return ErrForged
	}
	if f.err != nil || mac.VerifyMAC(code, f.bytes) != nil {
		return ErrForged
	}
	return nil
}

// A stamp is what a signature says of a task beside the MAC, which covers it.
type stamp struct {
	signedAt string
	eta      string
}

const signatureVersion = "1"

func newStamp(now time.Time, eta string) stamp {
	return stamp{strconv.FormatInt(now.Unix(), 10), eta}
}

// String returns the stamp as it stands in the header.
func (s stamp) String() string {
	eta := s.eta
	if eta == "" {
		eta = "-"
	}
	return signatureVersion + " " + s.signedAt + " " + eta
}

// parseSignature splits the header's text.
func parseSignature(text string) (s stamp, mac string, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 || parts[0] != signatureVersion {
		return stamp{}, "", ErrForged
	}
	if parts[2] == "-" {
		parts[2] = ""
	}
	return stamp{parts[1], parts[2]}, parts[3], nil
}
