package inspect

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// A bulkRun is an action on all that a filter chooses: first it counts, then somebody says to go on.
type bulkRun struct {
	id     string
	source string
	action action // its state is that of tasks; empty for dead letters
	filter keptFilter
	actor  []slog.Attr     // who began
	ctx    context.Context // until it is stopped, ends or is forgotten, or the handler is closed
	cancel context.CancelFunc

	mu       sync.Mutex
	phase    bulkPhase
	counted  Selection
	carryOut carrier
	progress Progress
	outcome  Outcome
	err      error
	ended    time.Time
}

// bulkPhase is how far a bulkRun is.
type bulkPhase string

const (
	counting bulkPhase = "counting"
	counted  bulkPhase = "counted" // and waits for somebody to say so
	acting   bulkPhase = "acting"
	ended    bulkPhase = "ended"
)

// bulkRuns keeps the last bulk actions by their IDs.
type bulkRuns struct {
	mu   sync.Mutex
	runs []*bulkRun
}

// maxBulkRuns bounds the memory that bulk actions take: each has the IDs of what it is on.
const maxBulkRuns = 8

var errTooManyRuns = errors.New("too many bulk actions are under way")

// add keeps a run. Where there are too many, the oldest that does nothing is forgotten.
func (b *bulkRuns) add(run *bulkRun) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := 0; len(b.runs) >= maxBulkRuns && i < len(b.runs); {
		if b.runs[i].isBusy() {
			i++
			continue
		}
		b.runs[i].cancel()
		b.runs = append(b.runs[:i], b.runs[i+1:]...)
	}
	if len(b.runs) >= maxBulkRuns {
		return errTooManyRuns
	}
	b.runs = append(b.runs, run)
	return nil
}

func (b *bulkRuns) get(source, id string) (*bulkRun, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, run := range b.runs {
		if run.id == id && run.source == source {
			return run, nil
		}
	}
	return nil, notFound("This bulk action has been forgotten.")
}

func newBulkRun(ctx context.Context, source string, did action, filter keptFilter, actor []slog.Attr) *bulkRun {
	run := &bulkRun{id: rand.Text(), source: source, action: did, filter: filter, actor: actor, phase: counting}
	run.ctx, run.cancel = context.WithCancel(ctx)
	return run
}

func (b *bulkRun) isBusy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.phase == counting || b.phase == acting
}

// count finds out what the action would be on.
func (d describer) count(ctx context.Context, m *monitor, run *bulkRun) {
	var selection Selection
	var carryOut carrier
	var err error
	if run.action.state == "" {
		selection, carryOut, err = d.selectLetters(ctx, m, run)
	} else {
		selection, carryOut, err = d.selectTasks(ctx, m, run)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	run.counted, run.carryOut, run.phase = selection, carryOut, counted
	if err != nil {
		run.end(Outcome{}, err)
	}
}

// carrier carries out an action on a selection.
type carrier = func(context.Context, func(Progress)) (Outcome, error)

func (d describer) selectLetters(ctx context.Context, m *monitor, run *bulkRun) (Selection, carrier, error) {
	letters, err := SelectLetters(ctx, m.source, d.registry, run.action.queue, run.filter.filter)
	if err != nil {
		return Selection{}, nil, err
	}
	if run.action.name == replayAction {
		return letters.Selection, letters.Replay, nil
	}
	return letters.Selection, letters.Drop, nil
}

func (d describer) selectTasks(ctx context.Context, m *monitor, run *bulkRun) (Selection, carrier, error) {
	selected, err := SelectTasks(ctx, m.source, d.registry, run.action.queue, run.action.state, run.filter.filter)
	if err != nil {
		return Selection{}, nil, err
	}
	if run.action.name == runNowAction {
		return selected.Selection, selected.RunNow, nil
	}
	return selected.Selection, selected.Delete, nil
}

// begin reports whether a run goes from counted to acting, which it does once.
func (b *bulkRun) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.phase != counted {
		return false
	}
	b.phase, b.progress.Total = acting, b.counted.Count
	return true
}

// carry acts on all that was counted.
func (a *auditor) carry(ctx context.Context, run *bulkRun) {
	begun := run.action
	begun.count, begun.begun = run.counted.Count, true
	a.logAction(ctx, run.actor, run.source, begun, nil)
	outcome, err := run.carryOut(ctx, func(p Progress) {
		run.mu.Lock()
		defer run.mu.Unlock()
		run.progress = p
	})
	did := run.action
	did.count, did.done, did.failed = run.counted.Count, outcome.Done, outcome.Failed
	a.logAction(ctx, run.actor, run.source, did, err)
	run.mu.Lock()
	defer run.mu.Unlock()
	run.end(outcome, err)
}

// end notes how a run went. Its caller holds the lock.
func (b *bulkRun) end(outcome Outcome, err error) {
	b.cancel()
	b.phase, b.outcome, b.err, b.ended = ended, outcome, err, time.Now()
	b.progress.Done, b.progress.Failed = outcome.Done, outcome.Failed
	b.carryOut = nil // and the IDs
	b.counted.ids = nil
}
