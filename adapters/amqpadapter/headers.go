package amqpadapter

import (
	"encoding/json"
	"fmt"
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
	// TypesHeader is the AMQP header with the wire types of a task's arguments, in order and separated by commas, such
	// as "orders.Order,int64". It is cut off after 1024 bytes.
	TypesHeader = "envelope-types"

	longestTypes = 1024
	// longestEnvelopeHeader is how much of an envelope is looked at to find its type.
	longestEnvelopeHeader = 1024
	// longestShortString is what AMQP has room for in the names of headers, routing keys and some properties.
	longestShortString = 255
)

// headersOf returns the AMQP headers of a task: its own, and those that say what its arguments are.
func headersOf(s *tasks.Signature) (amqp.Table, error) {
	headers := make(amqp.Table, len(s.Headers)+4)
	for name, value := range s.Headers {
		if len(name) > longestShortString {
			return nil, fmt.Errorf("name of a header: %w", ErrTooLarge)
		}
		headers[name] = headerValue(value)
	}
	types, hasEnvelopes := typesOf(s.Args)
	if types != "" {
		headers[TypesHeader] = types
	}
	if hasEnvelopes {
		headers[FormatHeader] = "1"
	}
	if err := headers.Validate(); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return headers, nil
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

// typesOf names what the arguments are, for people and for bindings: nobody relies on it.
func typesOf(args []tasks.Arg) (types string, hasEnvelopes bool) {
	var list strings.Builder
	for i, arg := range args {
		name, isEnvelope := typeOf(arg)
		hasEnvelopes = hasEnvelopes || isEnvelope
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(name)
		if list.Len() > longestTypes {
			return cut(list.String(), longestTypes), hasEnvelopes || anyEnvelope(args[i+1:])
		}
	}
	return list.String(), hasEnvelopes
}

func anyEnvelope(args []tasks.Arg) bool {
	for _, arg := range args {
		if _, isEnvelope := typeOf(arg); isEnvelope {
			return true
		}
	}
	return false
}

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
	head := text[:min(len(text), longestEnvelopeHeader)]
	if before, _, found := strings.Cut(head, `,"data":`); found {
		return envelope.Parse(before + `,"data":null}`)
	}
	return envelope.Parse(head) // one with a reference is short
}

// cut shortens a text without breaking a character apart.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for !utf8.ValidString(text) && len(text) > most-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text
}

// frameReserve is what a frame needs beside the headers: the other properties, and what RabbitMQ adds on the way.
const frameReserve = 8192

// check finds what would make RabbitMQ, or the client library, close the connection.
func (m *message) check(frameSize int) error {
	switch {
	case len(m.routingKey) > longestShortString:
		return fmt.Errorf("routing key: %w", ErrTooLarge)
	case frameSize > 0 && sizeOf(m.Headers) > frameSize-frameReserve:
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
