package adaptertest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// A Log keeps what is logged, as the lines of slog's text handler.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger returns a logger that writes to the log, whatever the level.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.Level(-100)}))
}

// Write adds text to the log.
func (l *Log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count returns how often a text was logged.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }

// Lines returns the lines that have all of these texts.
func (l *Log) Lines(texts ...string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if containsAll(line, texts) {
			found = append(found, line)
		}
	}
	return found
}

func containsAll(line string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(line, text) {
			return false
		}
	}
	return true
}
