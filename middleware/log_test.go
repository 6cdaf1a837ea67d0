package middleware_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// logLines is what was logged, without the times.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (l *logLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

func TestLinesNameTheTaskAndNeverAValue(t *testing.T) {
	t.Parallel()
	const about = " task=t uuid=task_t queue=orders error="
	for name, c := range map[string]struct {
		options []middleware.Option
		happen  func(t *testing.T, w *workplace, s *tasks.Signature)
		want    string
	}{
		"put back": {nil, func(_ *testing.T, w *workplace, _ *tasks.Signature) {
			w.backend.received = errors.New("connection refused")
		}, `level=WARN msg="envelope: a task was not processed to its end, putting it back"` + about +
			`"*errors.errorString: Set state to 'received' for task task_t returned error: connection refused"`},
		"given up": {nil, func(_ *testing.T, w *workplace, s *tasks.Signature) {
			w.backend.received = errors.New("connection refused")
			s.Headers = tasks.Headers{middleware.AttemptsHeader: "10"}
		}, `level=ERROR msg="envelope: a task is given up"` + about +
			`"*fmt.wrapErrors: put back too often: Set state to 'received' for task task_t returned error: connection refused"`},
		"unreadable": {nil, func(_ *testing.T, _ *workplace, s *tasks.Signature) {
			s.Args[0].Type = "bool"
		}, `level=ERROR msg="envelope: a task has arguments that are unreadable"` + about + "*errors.errorString"},
		"refused": {[]middleware.Option{signed}, func(_ *testing.T, w *workplace, s *tasks.Signature) {
			s.UUID = "task_t"
		}, `level=ERROR msg="envelope: refused task"` + about + "\"task \\\"t\\\": not signed: let its sender have `middleware.SignTasks(mac)`\""},
		"lost": {nil, func(t *testing.T, w *workplace, _ *tasks.Signature) {
			require.NoError(t, w.m.RegisterTask("t", func(order) error { return nil }))
			w.dead.refuse = func() error { panic("s3cret") }
		}, `level=ERROR msg="envelope: a dead letter is lost"` + about + "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := &logLines{}
			w := newLoggedWorkplace(t, append(c.options, middleware.WithLogger(lines.logger()))...)
			require.NoError(t, w.server.RegisterTask("t", func(string) error { return nil }))
			s := signatureOf("t", "s3cret")
			s.RoutingKey = "orders"
			c.happen(t, w, s)
			require.NoError(t, w.deliver(s))
			assert.Equal(t, []string{c.want}, lines.all())
		})
	}
}

// newLoggedWorkplace is a workplace with nothing but these options.
func newLoggedWorkplace(t *testing.T, opts ...middleware.Option) *workplace {
	inner := &delivering{}
	return newWorkplaceOn(t, inner, inner, opts...)
}
