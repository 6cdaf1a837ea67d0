package middleware

import (
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Sign signs a task as publishing does.
func (m *Middleware) Sign(s *tasks.Signature) error { return m.sign(s) }

// SignAt signs a task as if it were some other time.
func (m *Middleware) SignAt(s *tasks.Signature, now time.Time) error { return m.signAt(s, now) }

// SignedForm returns what the MAC of a task is computed over.
func SignedForm(s *tasks.Signature, signedAt time.Time) []byte {
	form := formOf(s, newStamp(signedAt, etaText(s.ETA)))
	defer form.free()
	return slices.Clone(form.bytes)
}
