package envelope

// Defaults of the limits. They apply to what is sent as well, so that what one side can send the other, with
// the same limits, can read.
const (
	// DefaultMaxBytes bounds the text of one envelope.
	DefaultMaxBytes = 32 << 20
	// DefaultMaxDepth bounds how deep structs, slices, arrays, maps and envelopes lie in one another.
	DefaultMaxDepth = 1000
	// DefaultMaxElements bounds the elements of all slices, arrays and maps of one envelope together.
	DefaultMaxElements = 4 << 20
	// DefaultMaxDigits bounds the decimal digits of a big.Int, and of each part of a big.Rat.
	DefaultMaxDigits = 20_000
	// DefaultMaxTypeLength bounds the characters of a type expression.
	DefaultMaxTypeLength = 1024
	// DefaultMaxTypeDepth bounds how deep pointers, slices, arrays and maps lie in one another in a type expression.
	DefaultMaxTypeDepth = 8
	// DefaultMaxArrayLength bounds the length of an array in a type expression, arrays of arrays multiplied out.
	DefaultMaxArrayLength = 1 << 16
	// DefaultMaxTypes bounds the pointer, slice, array and map types that messages may cause to be made; Go
	// never frees a type that was made at run time.
	DefaultMaxTypes = 1024
)

// An Option changes what a [Registry] allows.
type Option func(*settings)

type settings struct {
	maxBytes       int
	maxDepth       int
	maxElements    int
	maxDigits      int
	maxTypeLength  int
	maxTypeDepth   int
	maxArrayLength int
	maxTypes       int
	refuseUnknown  bool

	encodings        []Encoding
	aead             AEAD
	encryptAll       bool
	allowUnencrypted bool
	store            Store
	threshold        int
	// err is the first option that cannot be used.
	err error
}

// fail notes that an option cannot be used.
func (s *settings) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func defaultSettings() settings {
	return settings{
		maxBytes:       DefaultMaxBytes,
		maxDepth:       DefaultMaxDepth,
		maxElements:    DefaultMaxElements,
		maxDigits:      DefaultMaxDigits,
		maxTypeLength:  DefaultMaxTypeLength,
		maxTypeDepth:   DefaultMaxTypeDepth,
		maxArrayLength: DefaultMaxArrayLength,
		maxTypes:       DefaultMaxTypes,
	}
}

// MaxBytes sets the longest envelope that is written or read; [DefaultMaxBytes] without it.
func MaxBytes(n int) Option { return func(s *settings) { s.maxBytes = n } }

// MaxDepth sets how deep values may be nested; [DefaultMaxDepth] without it. Every struct, slice, array, map
// and nested envelope is one level.
func MaxDepth(n int) Option { return func(s *settings) { s.maxDepth = n } }

// MaxElements sets how many elements slices, arrays and maps may have, all of one envelope together;
// [DefaultMaxElements] without it.
func MaxElements(n int) Option { return func(s *settings) { s.maxElements = n } }

// MaxDigits sets how many decimal digits a big.Int, or either part of a big.Rat, may have;
// [DefaultMaxDigits] without it. Reading them takes time that grows with the square of their number.
func MaxDigits(n int) Option { return func(s *settings) { s.maxDigits = n } }

// MaxTypeLength sets the longest type expression that is read; [DefaultMaxTypeLength] without it.
func MaxTypeLength(n int) Option { return func(s *settings) { s.maxTypeLength = n } }

// MaxTypeDepth sets how deep a type expression may nest; [DefaultMaxTypeDepth] without it.
func MaxTypeDepth(n int) Option { return func(s *settings) { s.maxTypeDepth = n } }

// MaxArrayLength sets the longest array that a type expression may name; [DefaultMaxArrayLength] without it.
func MaxArrayLength(n int) Option { return func(s *settings) { s.maxArrayLength = n } }

// MaxTypes sets how many pointer, slice, array and map types messages may cause to be made in the life of the
// registry; [DefaultMaxTypes] without it. Types that the program itself sends or receives do not count.
func MaxTypes(n int) Option { return func(s *settings) { s.maxTypes = n } }

// RefuseUnknownMembers makes it an error for an object to have a member that its struct has no field for.
// Without it such members are ignored, so that senders can add fields first.
func RefuseUnknownMembers() Option { return func(s *settings) { s.refuseUnknown = true } }

// checkSize refuses what is longer than MaxBytes allows.
func (s *settings) checkSize(size int) error {
	if size > s.maxBytes {
		return limited("MaxBytes", s.maxBytes)
	}
	return nil
}
