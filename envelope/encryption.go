package envelope

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

var (
	// ErrUnencrypted: an envelope that has to be encrypted is not, or could not be.
	ErrUnencrypted = errors.New("not encrypted")
	// ErrUndecryptable: an encrypted payload cannot be opened, because it was changed or because its key was withdrawn.
	ErrUndecryptable = errors.New("cannot be decrypted")
)

// An AEAD encrypts payloads, and makes sure that neither they nor the headers they belong to were changed. The
// primitives of Google Tink's AEAD keysets are such, with key rotation. It is used by many goroutines at once.
type AEAD interface {
	// Encrypt returns a ciphertext that only Decrypt with the same associated data opens. It must not change or keep
	// what it is given.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	// Decrypt returns what Encrypt was given, or an error.
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// EncryptAll encrypts every payload, after its encodings, and refuses envelopes that are not encrypted with
// ErrUnencrypted. What has been changed since, header included, and what no key opens, is refused with
// ErrUndecryptable. Without an AEAD, or with two, every [Register] returns ErrRegistration.
//
// The header stays readable: the type, its version, the codec and the encodings. So does the length, which after
// compression may tell something of the content.
func EncryptAll(aead AEAD) Option {
	return func(s *settings) {
		s.encryptAll = true
		s.setAEAD(aead)
	}
}

// EncryptMarked is [EncryptAll] for values that are, or hold, values of types registered as [Encrypted]. Others are not
// encrypted, and are read whether encrypted or not.
func EncryptMarked(aead AEAD) Option {
	return func(s *settings) { s.setAEAD(aead) }
}

func (s *settings) setAEAD(aead AEAD) {
	if aead == nil {
		s.fail(faults.Newf(ErrRegistration, "EncryptAll or EncryptMarked got nil"))
	}
	if s.aead != nil {
		s.fail(faults.Newf(ErrRegistration, "EncryptAll and EncryptMarked: one of them, once"))
	}
	s.aead = aead
}

// AllowUnencrypted lets in envelopes that have to be encrypted and are not, for as long as senders are around that do
// not encrypt. What is sent is encrypted.
//
// To bring encryption into use without losing a message, deploy [EncryptMarked] without marked types everywhere first:
// that reads both. Then add [EncryptAll], or [Encrypted] types, with AllowUnencrypted. When no old messages are left,
// take AllowUnencrypted out: until then an attacker can leave encryption out as well.
func AllowUnencrypted() Option { return func(s *settings) { s.allowUnencrypted = true } }

// Encrypted makes envelopes of the type being registered encrypted, and those of everything that holds it: in fields
// and elements, in an older version that an [Upgrade] reads, and, where it is found on sending, in interfaces. Such
// envelopes are refused with ErrUnencrypted when they are not encrypted; nil of the type any is as well, where a
// pointer to the type is wanted: send (*T)(nil). What marshalers and codecs put into interfaces is not looked at.
// Register returns ErrRegistration if the registry has neither [EncryptAll] nor [EncryptMarked].
func Encrypted() TypeOption {
	return func(r *registration) error {
		r.encrypted = true
		return nil
	}
}

// checkEncrypted refuses types that ask for encryption where there is none.
func (r *registration) checkEncrypted(s *settings) error {
	if r.encrypted && s.aead == nil {
		return faults.Newf(ErrRegistration,
			"Encrypted, but the registry has no key: pass envelope.EncryptAll or envelope.EncryptMarked to envelope.NewRegistry")
	}
	return nil
}

func unencrypted(expression string) error {
	return faults.Newf(ErrUnencrypted, "envelope of %s is not encrypted and has to be: let its sender encrypt it, "+
		"or pass envelope.AllowUnencrypted to envelope.NewRegistry while old senders are around", expression)
}

// associatedData appends what binds an encrypted payload to its header: every part of it, defaults filled in, each with
// its length before it.
func (h *header) associatedData(buf []byte) []byte {
	buf = appendPart(buf, formatKey)
	buf = appendPart(buf, strconv.Itoa(formatVersion))
	buf = appendPart(buf, h.expression)
	buf = appendPart(buf, strconv.Itoa(h.version))
	buf = appendPart(buf, h.codec)
	buf = appendPart(buf, strconv.Itoa(len(h.encoding)))
	for _, name := range h.encoding {
		buf = appendPart(buf, name)
	}
	return buf
}

func appendPart(buf []byte, part string) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(part)))
	return append(buf, part...)
}
