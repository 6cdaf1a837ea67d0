package middlewaretest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A SentTask is a task that was published.
type SentTask struct {
	UUID, Name string
	// Args are the arguments as Go values: those in envelopes restored, or as their text where that is not possible.
	Args []any
	// Queue is the queue that it was sent to.
	Queue string
	// ETA is that of the signature, by time.Now; nil where it has none.
	ETA *time.Time
	// Headers are those of the message.
	Headers tasks.Headers
	// Signature is the whole message.
	Signature *tasks.Signature
}

// Sent returns the tasks that were sent so far, oldest first: by the test, by tasks, and by the worker for what follows
// a task, such as its callbacks. Retries are not among them, nor are tasks that wait for others to end. They stay here
// when they run.
func Sent(s *Server) []SentTask {
	s.memory.mu.Lock()
	bodies := make([][]byte, len(s.memory.sent))
	for i, p := range s.memory.sent {
		bodies[i] = p.body
	}
	s.memory.mu.Unlock()
	m, _ := middleware.Of(s.Server)
	sent := make([]SentTask, len(bodies))
	for i, body := range bodies {
		if signature, err := decode(body); err == nil {
			sent[i] = sentTask(m, signature)
		}
	}
	return sent
}

func sentTask(m *middleware.Middleware, s *tasks.Signature) SentTask {
	return SentTask{
		UUID: s.UUID, Name: s.Name, Args: arguments(m, s.Args), Queue: s.RoutingKey, ETA: s.ETA, Headers: s.Headers, Signature: s,
	}
}

func arguments(m *middleware.Middleware, args []tasks.Arg) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		if m == nil || middleware.ReadArg(context.Background(), m, arg, &values[i]) != nil {
			values[i] = arg.Value
		}
	}
	return values
}

// String returns the task as a call, and where it went.
func (t SentTask) String() string {
	var b strings.Builder
	b.WriteString(t.Name)
	b.WriteString("(")
	for i, arg := range t.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(format(arg))
	}
	fmt.Fprintf(&b, ") in queue %s", t.Queue)
	if t.ETA != nil {
		fmt.Fprintf(&b, ", ETA %s", t.ETA.Format(time.RFC3339Nano))
	}
	return b.String()
}

// maxFormatted is how many bytes of a value are printed.
const maxFormatted = 500

// format writes a value for a reader.
func format(v any) string {
	text := fmt.Sprintf("%#v", v)
	switch t := reflect.TypeOf(v); {
	case t == nil:
		text = "nil"
	case t.Kind() == reflect.Pointer && !reflect.ValueOf(v).IsNil():
		return "&" + format(reflect.ValueOf(v).Elem().Interface())
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Slice, t.Kind() == reflect.Map, t.Kind() == reflect.Array:
		text = fmt.Sprintf("%T%+v", v, v)
	case t.Kind() != reflect.String:
		text = fmt.Sprintf("%v", v)
	}
	if len(text) > maxFormatted {
		return text[:maxFormatted] + "…"
	}
	return text
}
