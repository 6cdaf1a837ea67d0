package middleware

import (
	"context"
	"log/slog"
	"strings"

	"github.com/RichardKnop/logging"
	"github.com/RichardKnop/machinery/v2/log"
)

// MachineryLogger returns a logger that writes to Machinery's own: records of level Error and above to log.ERROR,
// Warn to log.WARNING, Info to log.INFO and everything below to log.DEBUG, as they are set when a record is written.
// Attributes follow the message as name=value, quoted where they hold spaces. It is the default of WithLogger.
func MachineryLogger() *slog.Logger { return slog.New(machineryHandler{}) }

// machineryHandler formats with slog's own text handler, without the time and level that Machinery's loggers add.
type machineryHandler struct {
	with []func(slog.Handler) slog.Handler
}

// Enabled returns true: Machinery's loggers decide for themselves what they write.
func (h machineryHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes a record as one line.
func (h machineryHandler) Handle(ctx context.Context, r slog.Record) error {
	var line strings.Builder
	var text slog.Handler = slog.NewTextHandler(&line, &slog.HandlerOptions{Level: r.Level, ReplaceAttr: onlyMessage})
	for _, with := range h.with {
		text = with(text)
	}
	if err := text.Handle(ctx, r); err != nil {
		return err
	}
	loggerOf(r.Level).Print(strings.TrimSpace(r.Message + " " + line.String()))
	return nil
}

// WithAttrs returns a handler whose records have these attributes too.
func (h machineryHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

// WithGroup returns a handler that puts the attributes of its records in a group.
func (h machineryHandler) WithGroup(name string) slog.Handler {
	return h.and(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h machineryHandler) and(with func(slog.Handler) slog.Handler) machineryHandler {
	return machineryHandler{append(h.with[:len(h.with):len(h.with)], with)}
}

func onlyMessage(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

func loggerOf(level slog.Level) logging.LoggerInterface {
	switch {
	case level >= slog.LevelError:
		return log.ERROR
	case level >= slog.LevelWarn:
		return log.WARNING
	case level >= slog.LevelInfo:
		return log.INFO
	default:
		return log.DEBUG
	}
}
