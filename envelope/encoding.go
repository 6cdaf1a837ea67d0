package envelope

import (
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// An Encoding changes payloads in a way that can be undone, such as compression. Payloads are bytes: the JSON text of
// the data, or what a codec made of the value. Package zstdencoding has one; one of your own takes three short methods.
// It is used by many goroutines at once.
type Encoding interface {
	// Name goes into the header of envelopes; it follows the rules of wire names and may not be "aead".
	Name() string
	// AppendEncode appends what it makes of data to dst. It must not change or keep data.
	AppendEncode(dst, data []byte) ([]byte, error)
	// AppendDecode appends to dst what AppendEncode was given, which is at most limit bytes long: it returns ErrLimit
	// instead of using much more memory than that, and any other error for what AppendEncode cannot have made. The data
	// may come from an attacker. It must not change or keep it.
	AppendDecode(dst, data []byte, limit int) ([]byte, error)
}

// A Compression is an [Encoding] that is left out where it does not make the envelope shorter.
type Compression interface {
	Encoding
	// IsWorthwhile reports whether a payload of so many bytes should be tried.
	IsWorthwhile(size int) bool
}

// encryptionName is what encryption is called among the encodings in a header.
const encryptionName = "aead"

// Encodings sets what is done to payloads, in this order, before they are encrypted, and undone in reverse on receipt;
// nothing without it. Types may have others, see [EncodedBy]. Only the outermost envelope is encoded.
//
// Envelopes whose encodings are not exactly these are refused with ErrUnsupported, but for a [Compression] that the
// sender left out. To bring one into use, let every reader know it first, with a size from which it is worthwhile that
// is never reached. Encodings without a name of their own, and Encodings given twice, make every [Register] return
// ErrRegistration.
func Encodings(encodings ...Encoding) Option {
	return func(s *settings) {
		s.once("Encodings")
		if err := checkEncodings("Encodings", encodings); err != nil {
			s.fail(err)
			return
		}
		s.encodings = encodings
	}
}

// EncodedBy sets what is done to payloads of the type being registered, and of pointers to it and slices, arrays and
// maps of it, instead of what [Encodings] says. Without arguments that is nothing: for what is compressed already.
// Register returns ErrRegistration for encodings without a name of their own.
func EncodedBy(encodings ...Encoding) TypeOption {
	return func(r *registration) error {
		if r.encodings != nil {
			return faults.Newf(ErrRegistration, "EncodedBy is given twice")
		}
		r.encodings = &encodings
		return checkEncodings("EncodedBy", encodings)
	}
}

func checkEncodings(option string, encodings []Encoding) error {
	seen := map[string]bool{encryptionName: true}
	for _, encoding := range encodings {
		if encoding == nil {
			return faults.Newf(ErrRegistration, "%s: an encoding is nil", option)
		}
		name := encoding.Name()
		if !isName(name) {
			return faults.Newf(ErrRegistration, "%s: %q cannot be the name of an encoding", option, name)
		}
		if seen[name] {
			return faults.Newf(ErrRegistration, "%s: the encoding name %s is taken", option, name)
		}
		seen[name] = true
	}
	if len(encodings) >= maxEncodings {
		return faults.Newf(ErrRegistration, "%s: more than %d encodings", option, maxEncodings-1)
	}
	return nil
}

// isOptional reports whether payloads may come without an encoding.
func isOptional(encoding Encoding) bool {
	_, ok := encoding.(Compression)
	return ok
}

// mayBeLeftOut reports whether payloads may come without any of some encodings.
func mayBeLeftOut(encodings []Encoding) bool {
	for _, encoding := range encodings {
		if !isOptional(encoding) {
			return false
		}
	}
	return true
}

// encodingsOf returns the encodings for values of the registered type, or of none.
func (s *settings) encodingsOf(leaf *registration) []Encoding {
	if leaf != nil && leaf.encodings != nil {
		return *leaf.encodings
	}
	return s.encodings
}
