package amqpadapter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// FormatHeader is the AMQP header with the version of the envelope format, in messages that have envelopes among
	// their arguments.
	FormatHeader = middleware.FormatHeader
	// TypesHeader is the AMQP header with the types of a task's arguments, in order and separated by commas, such as
	// "orders.Order,int64", in the same messages. It is cut off after 1024 bytes.
	TypesHeader = "envelope-types"

	maxTypes = 1024
	// maxEnvelopeHeader is how much of an envelope is looked at to find its type.
	maxEnvelopeHeader = 1024
	// maxShortString is what AMQP has room for in the names of headers, routing keys and some properties.
	maxShortString = 255
)

// headersOf returns the AMQP headers of a task: its own, without those that this package sets itself, and those that
// say what its arguments are.
func headersOf(s *tasks.Signature) (amqp.Table, error) {
	headers := amqp.Table{}
	for name, value := range s.Headers {
		if !isReserved(name) {
			headers[name] = headerValue(value)
		}
	}
	addArgumentHeaders(headers, s)
	if err := checkNames(headers); err != nil {
		return nil, err
	}
	if err := headers.Validate(); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return headers, nil
}

// addArgumentHeaders adds those that say what the arguments of a task are, where there are envelopes among them. For
// others RabbitMQ is spared the headers, which are a twentieth of what it computes for a message.
func addArgumentHeaders(headers amqp.Table, s *tasks.Signature) {
	types := make([]string, len(s.Args))
	hasEnvelopes := false
	for i, arg := range s.Args {
		name, isEnvelope := typeOf(arg)
		types[i], hasEnvelopes = name, hasEnvelopes || isEnvelope
	}
	if hasEnvelopes {
		headers[TypesHeader], headers[FormatHeader] = cut(strings.Join(types, ","), maxTypes), "1"
	}
}

// isReserved reports whether a header steers or counts the deliveries of a message. Whoever sends a task decides what
// is in its body, and a retry makes headers of that.
func isReserved(name string) bool {
	return slices.Contains(countingHeaders, name) || strings.HasPrefix(name, deathPrefix) || isTrace(name)
}

// countingHeaders count, in the AMQP headers of a message, what was tried.
var countingHeaders = []string{DeliveriesHeader, UnregisteredHeader}

// checkNames returns ErrTooLarge for a name that AMQP has no room for, in nested tables too.
func checkNames(value any) error {
	switch value := value.(type) {
	case amqp.Table:
		for name, element := range value {
			if len(name) > maxShortString {
				return fmt.Errorf("name of a header: %w", ErrTooLarge)
			}
			if err := checkNames(element); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range value {
			if err := checkNames(element); err != nil {
				return err
			}
		}
	}
	return nil
}

// headerValue returns a value that AMQP can carry in place of what encoding/json makes of one: headers are read back
// from the body of a message before it is published again.
func headerValue(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		if f, err := value.Float64(); err == nil {
			return f
		}
		return value.String()
	case map[string]any:
		table := make(amqp.Table, len(value))
		for name, element := range value {
			table[name] = headerValue(element)
		}
		return table
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = headerValue(element)
		}
		return list
	default:
		return value
	}
}

// typeOf names what an argument is, for people and for bindings: nobody relies on it.
func typeOf(arg tasks.Arg) (name string, isEnvelope bool) {
	text, ok := arg.Value.(string)
	if !ok || !envelope.Is(text) {
		return arg.Type, false
	}
	parsed, err := parseHeader(text)
	if err != nil {
		return arg.Type, false
	}
	return parsed.Type, true
}

// parseHeader reads an envelope up to its data, however long that is.
func parseHeader(text string) (envelope.Envelope, error) {
	head := text[:min(len(text), maxEnvelopeHeader)]
	if before, _, found := strings.Cut(head, `,"data":`); found {
		return envelope.Parse(before + `,"data":null}`)
	}
	return envelope.Parse(head) // one with a reference is short
}

// cut shortens a text without breaking a character apart.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	text = text[:limit]
	for !utf8.ValidString(text) && len(text) > limit-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text
}

// frameReserve is what a frame needs beside the headers: the other properties, and what RabbitMQ adds on the way. Of
// small frames it is half.
const frameReserve = 8192

// What is too large makes RabbitMQ, or the client library, close the connection.

func (m *message) checkRoutingKey() error {
	if len(m.routingKey) > maxShortString {
		return fmt.Errorf("routing key: %w", ErrTooLarge)
	}
	return nil
}

func (m *message) checkFrame(size int) error {
	if size > 0 && sizeOf(m.Headers) > size-min(frameReserve, size/2) {
		return fmt.Errorf("headers: %w", ErrTooLarge)
	}
	return nil
}

// sizeOf returns about how many bytes a header takes, rather more than less.
func sizeOf(value any) int {
	switch value := value.(type) {
	case string:
		return len(value) + 8
	case []byte:
		return len(value) + 8
	case []any:
		size := 8
		for _, element := range value {
			size += sizeOf(element)
		}
		return size
	case amqp.Table:
		size := 8
		for name, element := range value {
			size += len(name) + 2 + sizeOf(element)
		}
		return size
	default:
		return 16
	}
}
