package middleware

import (
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// FormatHeader is set on every published signature that has envelopes among its
// arguments. Its value is the version of the envelope format, as a string.
//
// On a signature that Signature or PrePublish has made, and that is not
// published yet, the value goes on with checksums of its envelopes: by them a
// text that looks like an envelope is told from one. Add to the headers of such
// a signature, do not replace them.
const FormatHeader = "envelope-format"

const formatVersion = "1"

// seed makes checksums that nobody outside this process can foresee.
var seed = maphash.MakeSeed()

func checksum(text string) string { return strconv.FormatUint(maphash.String(seed, text), 36) }

// trusted tells whether a text among the arguments of s, which looks like an
// envelope, is one that the middleware made or that was received as one.
// Everything else is a user's text.
func (m *Middleware) trusted(s *tasks.Signature, text string) bool {
	if _, ok := m.received.Load(s); ok || deliveries.of(s) != nil {
		return true
	}
	header, _ := s.Headers[FormatHeader].(string)
	return strings.HasPrefix(header, formatVersion+" ") && slices.Contains(strings.Fields(header)[1:], checksum(text))
}

// vouch notes on a signature which of its arguments are envelopes.
func vouch(s *tasks.Signature) {
	var sums string
	for _, arg := range s.Args {
		if text, ok := arg.Value.(string); ok && envelope.Is(text) {
			sums += " " + checksum(text)
		}
	}
	if sums != "" {
		setHeader(s, FormatHeader, formatVersion+sums)
	}
}

// declareFormat gives a signature the header that goes on the wire.
func declareFormat(s *tasks.Signature) {
	if hasEnvelope(s.Args) {
		setHeader(s, FormatHeader, formatVersion)
	} else if s.Headers[FormatHeader] != nil {
		s.Headers = maps.Clone(s.Headers)
		delete(s.Headers, FormatHeader)
	}
}

func hasEnvelope(args []tasks.Arg) bool {
	return slices.ContainsFunc(args, func(arg tasks.Arg) bool {
		text, ok := arg.Value.(string)
		return ok && envelope.Is(text)
	})
}
