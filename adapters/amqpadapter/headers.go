package amqpadapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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
	// maxHeaderDepth and maxHeaders bound how deep headers are nested, and how many stand side by side. The client
	// library reads 32 levels and 8192 headers, of which some are left for those that a message gets on its way.
	maxHeaderDepth = 32
	maxHeaders     = 8000
)

// headersOf returns the AMQP headers of a task: its own, without those that this package sets itself, and those that
// say what its arguments are.
func headersOf(s *tasks.Signature) (amqp.Table, error) {
	own := maps.Clone(s.Headers)
	maps.DeleteFunc(own, func(name string, _ any) bool { return isReserved(name) })
	headers, err := headerTable(own, 0)
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	addArgumentHeaders(headers, s)
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

// headerTable returns the values of a table at some depth as AMQP can carry them.
func headerTable[T ~map[string]any](values T, depth int) (amqp.Table, error) {
	if err := checkNesting(len(values), depth); err != nil {
		return nil, err
	}
	table := make(amqp.Table, len(values)+2) // room for those that say what the arguments are
	for name, value := range values {
		if len(name) > maxShortString {
			return nil, fmt.Errorf("name of a header: %w", ErrTooLarge)
		}
		carried, err := headerValue(value, depth+1)
		if err != nil {
			return nil, err
		}
		table[name] = carried
	}
	return table, nil
}

func headerList(values []any, depth int) ([]any, error) {
	if err := checkNesting(len(values), depth); err != nil {
		return nil, err
	}
	list := make([]any, len(values))
	for i, value := range values {
		carried, err := headerValue(value, depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = carried
	}
	return list, nil
}

// checkNesting refuses a table or list for which the connection of whoever receives it would end.
func checkNesting(elements, depth int) error {
	if elements > maxHeaders || depth > maxHeaderDepth {
		return fmt.Errorf("table or list: %w", ErrTooLarge)
	}
	return nil
}

// headerValue returns a value as AMQP can carry it, exactly but for times, which AMQP has in seconds. What it has no
// type for is carried as encoding/json has it in the body: from there headers are read back before a message is
// published again.
func headerValue(value any, depth int) (any, error) {
	switch value := value.(type) {
	case nil, bool, string, []byte, time.Time, amqp.Decimal,
		int8, int16, int32, int64, uint8, uint16, uint32, float32, float64:
		return value, nil
	case int:
		return int64(value), nil // the client library would cut it to 32 bits
	case json.Number:
		return headerNumber(value), nil
	case amqp.Table:
		return headerTable(value, depth)
	case map[string]any:
		return headerTable(value, depth)
	case []any:
		return headerList(value, depth)
	default:
		return headerFromJSON(value, depth)
	}
}

// headerNumber returns an integer that AMQP has no type for as its digits.
func headerNumber(number json.Number) any {
	if n, err := number.Int64(); err == nil {
		return n
	}
	if f, err := number.Float64(); err == nil && strings.ContainsAny(number.String(), ".eE") {
		return f
	}
	return number.String()
}

func headerFromJSON(value any, depth int) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read any
	if err := decoder.Decode(&read); err != nil {
		return nil, err
	}
	return headerValue(read, depth)
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
