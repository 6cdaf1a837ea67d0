package inspect

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
)

const (
	sessionCookie = "machinery_inspect"
	tokenField    = "token"
	maxForm       = 64 << 10 // bytes
)

var (
	errNotOperator = errors.New("may not act")
	errForm        = errors.New("form is not from this page")
)

// forms are those that the pages have, which no other site can send.
type forms struct {
	crossOrigin *http.CrossOriginProtection
	key         []byte // of their tokens
}

// token returns what forms for the sender of a request carry: a MAC of a random cookie, which no other site knows. It
// sets the cookie where there is none.
func (f *forms) token(w http.ResponseWriter, r *http.Request) string {
	session := sessionOf(r)
	if session == "" {
		session = rand.Text()
		// Its path is that of the whole host: the handler does not know where it is mounted.
		http.SetCookie(w, &http.Cookie{
			Name: sessionCookie, Value: session, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
		})
	}
	return f.tokenOf(session)
}

func (f *forms) tokenOf(session string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(session))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sessionOf returns the cookie, empty where it is missing or cannot be one of ours.
func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || len(cookie.Value) != len(rand.Text()) {
		return ""
	}
	return cookie.Value
}

// checkForm returns an error where a form was not sent from a page of this handler.
func (f *forms) checkForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm
	}
	if err := f.crossOrigin.Check(r); err != nil {
		return err
	}
	session := sessionOf(r)
	if session == "" || !hmac.Equal([]byte(f.tokenOf(session)), []byte(r.PostFormValue(tokenField))) {
		return errForm
	}
	return nil
}
