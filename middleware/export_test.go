package middleware

import (
	"fmt"
	"reflect"
)

// RefusalNames lists the names under which the reasons of refusals travel.
func RefusalNames() []string {
	var names []string
	for _, r := range refusals {
		names = append(names, r.name)
	}
	return names
}

// Kept counts what is kept of the signatures that are being processed.
func (m *Middleware) Kept() int {
	deliveries.mu.RLock()
	defer deliveries.mu.RUnlock()
	n := 0
	for _, d := range deliveries.bySignature {
		if d.m == m {
			n++
		}
	}
	return n
}

// SettingsOf shows what options make of the settings of a middleware, or "error".
func SettingsOf(opts ...Option) string {
	s, err := newSettings(opts)
	if err != nil {
		return "error"
	}
	var wanted signing
	if s.signing != nil {
		wanted, s.signing = *s.signing, nil
	}
	handler := s.logger.Handler()
	s.given, s.logger = nil, nil
	return fmt.Sprintf("%+v %+v %T", s, wanted, handler)
}

// CheckFields checks types in the place of Machinery's results.
func CheckFields(task, chain, chord reflect.Type) error {
	return checkFields(resultTypes{task, chain, chord})
}
