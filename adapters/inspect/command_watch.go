package inspect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// Sequences for a terminal.
const (
	toTop       = "\x1b[H"
	clearToEnd  = "\x1b[J"
	clearLine   = "\x1b[K"
	otherScreen = "\x1b[?1049h\x1b[?25l" // without a cursor
	firstScreen = "\x1b[?25h\x1b[?1049l"
)

// watch redraws queues and workers until ctx ends.
func (i *invocation) watch(ctx context.Context) error {
	if _, err := io.WriteString(i.Stdout, otherScreen); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(i.Stdout, firstScreen) }()
	ticker := time.NewTicker(i.values.interval)
	defer ticker.Stop()
	watched := make([]watchedSource, len(i.sources))
	for n, source := range i.sources {
		watched[n].source = source
	}
	for {
		if err := i.draw(ctx, watched); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// watchedSource is what a source has said last.
type watchedSource struct {
	source  Source
	queues  []Queue
	at      time.Time
	past    []doneBefore // oldest first
	workers []Worker
	failed  error
	since   time.Time // that it has failed
}

// rateSpan is over how long a rate is taken, at least: workers tell in steps what they have done.
const rateSpan = 15 * time.Second

// doneBefore is how many tasks were done of each queue at a time.
type doneBefore struct {
	at   time.Time
	done map[string]int
}

// look asks the source. Where it fails, what it said before stays.
func (w *watchedSource) look(ctx context.Context) {
	queues, err := w.source.Queues(ctx)
	workers, workersErr := w.source.Workers(ctx)
	if err == nil && workersErr != nil && !isUnsupported(workersErr) {
		err = workersErr
	}
	if err != nil {
		if w.failed == nil {
			w.since = time.Now()
		}
		w.failed = err
		return
	}
	w.failed, w.queues, w.workers, w.at = nil, queues, workers, time.Now()
	now := doneBefore{w.at, map[string]int{}}
	for _, q := range queues {
		now.done[q.Name] = q.Done
	}
	w.past = append(w.past, now)
	for len(w.past) > 2 && w.at.Sub(w.past[1].at) >= rateSpan {
		w.past = w.past[1:]
	}
}

// draw writes all over what was there.
func (i *invocation) draw(ctx context.Context, watched []watchedSource) error {
	queues, workers := [][]string{append(queueHeader(), "DONE/S")}, [][]string{workerHeader()}
	var failures string
	for n := range watched {
		w := &watched[n]
		name := w.source.Name()
		w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if w.failed != nil {
			failures += fmt.Sprintf("%s: since %s: %s\n", printable(name), w.since.Format(time.TimeOnly), printable(w.failed.Error()))
		}
		for _, q := range w.queues {
			queues = append(queues, append(rowOfQueue(name, q), w.rate(q)))
		}
		for _, worker := range w.workers {
			workers = append(workers, rowsOfWorker(name, worker)...)
		}
	}
	var screen bytes.Buffer
	fmt.Fprintf(&screen, "%s  every %s, until Ctrl-C\n\n", time.Now().Format(time.TimeOnly), i.values.interval)
	_ = writeTable(&screen, queues) // bytes.Buffer takes all
	screen.WriteString("\n")
	_ = writeTable(&screen, workers)
	screen.WriteString("\n" + failures)
	text := bytes.ReplaceAll(screen.Bytes(), []byte("\n"), []byte(clearLine+"\r\n"))
	_, err := i.Stdout.Write(append(append([]byte(toTop), text...), clearToEnd...))
	return err
}

// rate shows how many tasks of a queue end in a second.
func (w *watchedSource) rate(q Queue) string {
	if w.failed != nil || len(w.past) == 0 {
		return "-"
	}
	elapsed := w.at.Sub(w.past[0].at)
	before, ok := w.past[0].done[q.Name]
	if !ok || elapsed <= 0 || q.Done < before || q.Done <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(q.Done-before)/elapsed.Seconds())
}
