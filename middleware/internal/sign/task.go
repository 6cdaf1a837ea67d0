package sign

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Header is the header that carries the signature of a task.
const Header = "envelope-signature"

// CreatedHeader is the header that says, in RFC 3339, when a task was sent first. Retries keep it.
const CreatedHeader = "envelope-created"

// Created returns what CreatedHeader is to say: what it says, or else the time given.
func Created(t *tasks.Signature, now time.Time) string {
	if text, ok := t.Headers[CreatedHeader].(string); ok && text != "" {
		return text
	}
	return now.UTC().Format(time.RFC3339Nano)
}

// Task returns the signature of a task, the text of its Header, as of a time. It covers the whole task but for
// Header and the headers in Unsigned.
func (s *Signer) Task(t *tasks.Signature, signedAt time.Time) (string, error) {
	claims := newTaskClaims(signedAt, t.ETA)
	form := s.canonicalTask(t, claims)
	defer form.free()
	mac, err := form.compute(s.MAC)
	if err != nil {
		return "", err
	}
	return claims.String() + " " + mac, nil
}

// VerifyTask returns nil for a task with a good signature, and ErrUnsigned, ErrForged or ErrExpired otherwise.
func (s *Signer) VerifyTask(t *tasks.Signature, now time.Time) error {
	header, signed := t.Headers[Header]
	if !signed && s.AcceptUnsigned {
		return nil
	}
	if !signed {
		return ErrUnsigned
	}
	text, _ := header.(string)
	claims, mac, err := parseTaskSignature(text)
	if err != nil {
		return err
	}
	form := s.canonicalTask(t, claims)
	defer form.free()
	if err := form.verify(s.MAC, mac); err != nil {
		return err
	}
	return s.verifyTimes(t, claims, now)
}

// CanonicalTask returns what the MAC of a task is computed over that is signed at a time.
func (s *Signer) CanonicalTask(t *tasks.Signature, signedAt time.Time) []byte {
	form := s.canonicalTask(t, newTaskClaims(signedAt, t.ETA))
	defer form.free()
	return slices.Clone(form.bytes)
}

func (s *Signer) canonicalTask(t *tasks.Signature, claims taskClaims) *canonicalForm {
	form := newCanonicalForm(taskKind)
	form.text(claims.String())
	form.task(t, claims.eta, s.isUnsigned)
	return form
}

func (s *Signer) isUnsigned(header string) bool {
	return header == Header || slices.Contains(s.Unsigned, header)
}

// verifyTimes checks what claims, which are genuine, say about time. A dead letter that is sent again may lack its ETA
// when that has passed.
func (s *Signer) verifyTimes(t *tasks.Signature, claims taskClaims, now time.Time) error {
	due, err := claims.due()
	if err != nil {
		return ErrForged
	}
	if etaText(t.ETA) != claims.eta && (t.ETA != nil || due.After(now)) {
		return ErrForged
	}
	if s.MaxAge > 0 && now.Sub(due) > s.MaxAge {
		return ErrExpired
	}
	return nil
}

// taskClaims are what the signature of a task says beside the MAC, which covers them.
type taskClaims struct {
	signedAt string // seconds since 1970
	eta      string // empty if there is none
}

func newTaskClaims(signedAt time.Time, eta *time.Time) taskClaims {
	return taskClaims{strconv.FormatInt(signedAt.Unix(), 10), etaText(eta)}
}

// String returns the claims as they stand in the header.
func (c taskClaims) String() string {
	eta := c.eta
	if eta == "" {
		eta = "-"
	}
	return version + " " + c.signedAt + " " + eta
}

// due is when the task was to run: when it was signed, or at its ETA if that is later.
func (c taskClaims) due() (time.Time, error) {
	seconds, err := strconv.ParseInt(c.signedAt, 10, 64)
	signedAt := time.Unix(seconds, 0)
	if err != nil || c.eta == "" {
		return signedAt, err
	}
	eta, err := time.Parse(time.RFC3339Nano, c.eta)
	if eta.Before(signedAt) {
		return signedAt, err
	}
	return eta, err
}

// parseTaskSignature splits the header's text.
func parseTaskSignature(text string) (claims taskClaims, mac string, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 || parts[0] != version {
		return taskClaims{}, "", ErrForged
	}
	if parts[2] == "-" {
		parts[2] = ""
	}
	return taskClaims{parts[1], parts[2]}, parts[3], nil
}
