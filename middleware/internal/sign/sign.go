package sign

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

var (
	// ErrUnsigned is returned for a task or state without a signature.
	ErrUnsigned = errors.New("not signed")
	// ErrForged is returned for a task or state whose signature is not right.
	ErrForged = errors.New("signature is not right")
	// ErrExpired is returned for a task that was due longer ago than MaxAge.
	ErrExpired = errors.New("signed too long ago")
)

// A MAC makes and checks message authentication codes.
type MAC interface {
	ComputeMAC(data []byte) ([]byte, error)
	VerifyMAC(mac, data []byte) error
}

// A Signer signs and verifies tasks and states.
type Signer struct {
	MAC            MAC
	AcceptUnsigned bool          // what has no signature is good; what has a wrong one is not
	MaxAge         time.Duration // of tasks; 0 means any age
	Unsigned       []string      // the headers of a task, beside Header, that are not signed
}

// The versions of the formats of signatures.
const (
	version      = "1" // of a task
	stateVersion = "2" // of a state
)

// compute returns the MAC of the canonical form in base64.
func (f *canonicalForm) compute(mac MAC) (string, error) {
	if f.err != nil {
		return "", f.err
	}
	code, err := mac.ComputeMAC(f.bytes)
	return base64.StdEncoding.EncodeToString(code), err
}

// verify returns ErrForged unless text is the MAC of the canonical form in base64.
func (f *canonicalForm) verify(mac MAC, text string) error {
	code, err := base64.StdEncoding.Strict().DecodeString(text)
	// One spelling of a signature is enough, but the decoder ignores ends of lines.
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return ErrForged
	}
	if f.err != nil || mac.VerifyMAC(code, f.bytes) != nil {
		return ErrForged
	}
	return nil
}
