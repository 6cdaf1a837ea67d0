package middleware

import (
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware/internal/sign"
)

// Sign signs a task as publishing does.
func (m *Middleware) Sign(s *tasks.Signature) error { return m.SignAt(s, time.Now()) }

// SignAt signs a task as if it were some other time.
func (m *Middleware) SignAt(s *tasks.Signature, now time.Time) error {
	return m.signing.sign(m.broker, s, now)
}

// CanonicalForm returns what the MAC of a task is computed over.
func CanonicalForm(s *tasks.Signature, signedAt time.Time) []byte {
	signer := sign.Signer{Unsigned: countHeaders}
	return signer.CanonicalTask(s, signedAt)
}
