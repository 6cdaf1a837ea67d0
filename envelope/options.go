package envelope

import (
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// Defaults of the [Limits] with the same names.
const (
	DefaultMaxBytes       = 32 << 20
	DefaultMaxDepth       = 1000
	DefaultMaxDigits      = 20_000
	DefaultMaxTypeLength  = 1024
	DefaultMaxTypeDepth   = 8
	DefaultMaxArrayLength = 1 << 16
	DefaultMaxTypes       = 1024
	DefaultMaxNewTypes    = 32
)

// Limits bound what one envelope may take to write and to read, and what the envelopes that a [Registry] reads may cost
// it for good. All but MaxMemory apply to sending as well, so that a reader with the same limits can read all that is
// sent. A field that is 0 stands for its default. What exceeds a limit is refused with [ErrLimit].
type Limits struct {
	// MaxBytes bounds the length of the text of one envelope, in bytes, and of its payload before and after each of its
	// [Encodings] and in its [Store]; [DefaultMaxBytes] if 0.
	MaxBytes int
	// MaxDepth bounds how deep values are nested; [DefaultMaxDepth] if 0. Every struct, slice, array, map and nested
	// envelope is one level.
	MaxDepth int
	// MaxMemory bounds the memory that is allocated to read one envelope, in bytes: for its payload where that was
	// encoded, and for the values with all that they hold. If it is 0, that is 64 times the bytes received, from the
	// queue and the [Store], or 64 MiB, whichever is more. What marshalers, codecs and functions of the application
	// allocate is not known and does not count. It bounds reading only.
	MaxMemory int
	// MaxDigits bounds the decimal digits of a big.Int, and of each part of a big.Rat, and the precision and the
	// exponent of a big.Float by the bits that make so many digits; [DefaultMaxDigits] if 0. The time to read digits
	// grows with the square of their number.
	MaxDigits int
	// MaxTypeLength bounds the length of a type expression in bytes; [DefaultMaxTypeLength] if 0.
	MaxTypeLength int
	// MaxTypeDepth bounds how deep pointers, slices, arrays and maps are nested in a type expression;
	// [DefaultMaxTypeDepth] if 0.
	MaxTypeDepth int
	// MaxArrayLength bounds the length of an array in a type expression, where the lengths of arrays of arrays are
	// multiplied; [DefaultMaxArrayLength] if 0.
	MaxArrayLength int
	// MaxTypes bounds how many pointer, slice, array and map types messages cause to be made in the life of the
	// registry, as Go never frees a type that was made at run time; [DefaultMaxTypes] if 0. Types that the program
	// itself sends or receives do not count, nor do *T, []T and map[string]T of built-in and registered types T.
	MaxTypes int
	// MaxNewTypes bounds how many of these types one envelope may add; [DefaultMaxNewTypes] if 0.
	MaxNewTypes int
}

// An Option changes what a [Registry] allows and what it does to payloads. An option that cannot be used makes
// [Registry.Err], [Registry.Check], [Register] and the methods that write and read return [ErrRegistration], which names
// the option.
type Option func(*settings)

type settings struct {
	limits        Limits
	refuseUnknown bool
	verifyAll     bool

	encodings        []Encoding
	aead             AEAD
	encryptAll       bool
	allowUnencrypted bool
	store            Store
	threshold        int
	// given are the options so far that count once.
	given map[string]bool
	// err says why the first option that cannot be used cannot be.
	err error
}

func newSettings(opts ...Option) settings {
	s := settings{limits: defaultLimits, given: map[string]bool{}}
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

// once notes that an option is given, which cannot be used twice: what holds must not depend on their order.
func (s *settings) once(option string) {
	if s.given[option] {
		s.fail(faults.Newf(ErrRegistration, "%s is given twice", option))
	}
	s.given[option] = true
}

// fail notes that an option cannot be used.
func (s *settings) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// WithLimits sets the limits, all of them: a field that is 0 stands for its default. A negative field cannot be used;
// the error names it. WithLimits cannot be given twice.
func WithLimits(l Limits) Option {
	return func(s *settings) {
		s.once("WithLimits")
		s.limits = defaultLimits
		for _, field := range limitFields {
			value, setting := *field.of(&l), field.of(&s.limits)
			if value < 0 {
				s.fail(faults.Newf(ErrRegistration, "WithLimits: %s is negative: %d", field.name, value))
			}
			if value > 0 {
				*setting = value
			}
		}
	}
}

var defaultLimits = Limits{
	MaxBytes:       DefaultMaxBytes,
	MaxDepth:       DefaultMaxDepth,
	MaxDigits:      DefaultMaxDigits,
	MaxTypeLength:  DefaultMaxTypeLength,
	MaxTypeDepth:   DefaultMaxTypeDepth,
	MaxArrayLength: DefaultMaxArrayLength,
	MaxTypes:       DefaultMaxTypes,
	MaxNewTypes:    DefaultMaxNewTypes,
}

var limitFields = []struct {
	name string
	of   func(*Limits) *int
}{
	{"MaxBytes", func(l *Limits) *int { return &l.MaxBytes }},
	{"MaxDepth", func(l *Limits) *int { return &l.MaxDepth }},
	{"MaxMemory", func(l *Limits) *int { return &l.MaxMemory }},
	{"MaxDigits", func(l *Limits) *int { return &l.MaxDigits }},
	{"MaxTypeLength", func(l *Limits) *int { return &l.MaxTypeLength }},
	{"MaxTypeDepth", func(l *Limits) *int { return &l.MaxTypeDepth }},
	{"MaxArrayLength", func(l *Limits) *int { return &l.MaxArrayLength }},
	{"MaxTypes", func(l *Limits) *int { return &l.MaxTypes }},
	{"MaxNewTypes", func(l *Limits) *int { return &l.MaxNewTypes }},
}

// nesting returns a count of levels at its beginning, for one envelope.
func (l *Limits) nesting() jsontext.Nesting { return jsontext.NewNesting(l.MaxDepth) }

// reader returns a reader of an envelope's text.
func (l *Limits) reader(text string) jsontext.Reader {
	return jsontext.NewReader(text, l.nesting(), jsontext.NewBudget(l.memory(len(text))))
}

// checkSize returns ErrLimit for texts and payloads that are too long.
func (l *Limits) checkSize(size int) error {
	if size > l.MaxBytes {
		return faults.Limited("MaxBytes", l.MaxBytes)
	}
	return nil
}

// RefuseUnknownMembers makes it an error for an object to have a member that its struct has no field for. Without it
// such members are ignored, so that senders can add fields first.
func RefuseUnknownMembers() Option { return func(s *settings) { s.refuseUnknown = true } }
