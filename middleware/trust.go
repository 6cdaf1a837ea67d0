package middleware

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// FormatHeader is set on every published signature that has envelopes among its arguments. Its value is the version of
// the envelope format, as a string.
//
// On a signature that Signature or PrePublish has made, and that is not published yet, the value goes on with checksums
// of its envelopes: by them a text that looks like an envelope is told from one. Add to the headers of such a
// signature, do not replace them.
const FormatHeader = "envelope-format"

const formatVersion = "1"

// seed makes checksums that nobody outside this process can foresee.
var seed = maphash.MakeSeed()

// checksumBase is the base in which checksums are written.
const checksumBase = 36

func checksum(text string) uint64 { return maphash.String(seed, text) }

// trust tells, of texts among the arguments of one signature that look like envelopes, which are those that the
// middleware made or that were received as such. Everything else is a user's text, and so is what a plain task publishes
// again.
type trust struct {
	all  bool
	sums []uint64  // sorted
	few  [8]uint64 // holds sums where it has room
}

// read finds out what is trusted of s.
func (t *trust) read(s *tasks.Signature) {
	if d := deliveries.holding(s); d != nil && (d.task != nil || d.signature != s) {
		t.all = true
		return
	}
	header, _ := s.Headers[FormatHeader].(string)
	sums, made := strings.CutPrefix(header, formatVersion+" ")
	if !made {
		return
	}
	t.sums = t.few[:0]
	for text := range strings.FieldsSeq(sums) {
		if sum, err := strconv.ParseUint(text, checksumBase, 64); err == nil {
			t.sums = append(t.sums, sum)
		}
	}
	slices.Sort(t.sums)
}

// holds reports whether a text is trusted.
func (t *trust) holds(text string) bool {
	if t.all || len(t.sums) == 0 {
		return t.all
	}
	_, found := slices.BinarySearch(t.sums, checksum(text))
	return found
}

// markTrusted notes on a signature, whose map of headers is its own, which of its arguments are envelopes.
func markTrusted(s *tasks.Signature) {
	var sums []byte
	for _, arg := range s.Args {
		if text, ok := arg.Value.(string); ok && envelope.Is(text) {
			sums = append(sums, ' ')
			sums = strconv.AppendUint(sums, checksum(text), checksumBase)
		}
	}
	if len(sums) > 0 {
		setOwnHeader(s, FormatHeader, formatVersion+string(sums))
	}
}

// declareFormat gives a signature, whose map of headers is its own, the header that goes on the wire.
func declareFormat(s *tasks.Signature) {
	if hasEnvelope(s.Args) {
		setOwnHeader(s, FormatHeader, formatVersion)
	} else {
		delete(s.Headers, FormatHeader)
	}
}

func hasEnvelope(args []tasks.Arg) bool {
	return slices.ContainsFunc(args, func(arg tasks.Arg) bool {
		text, ok := arg.Value.(string)
		return ok && arg.Type == "string" && envelope.Is(text)
	})
}
