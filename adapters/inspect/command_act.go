package inspect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

func (i *invocation) pause(ctx context.Context) error {
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	return source.Pause(ctx, i.values.queue)
}

func (i *invocation) resume(ctx context.Context) error {
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	return source.Resume(ctx, i.values.queue)
}

func (i *invocation) replay(ctx context.Context) error {
	return i.actOnLetters(ctx, "replay", deadletter.Store.Replay, (*SelectedLetters).Replay)
}

func (i *invocation) drop(ctx context.Context) error {
	return i.actOnLetters(ctx, "drop", deadletter.Store.Drop, (*SelectedLetters).Drop)
}

// bulkAction is an action on a selection.
type bulkAction[S any] func(selected S, ctx context.Context, report func(Progress)) (Outcome, error)

func (i *invocation) actOnLetters(ctx context.Context, verb string,
	one func(deadletter.Store, context.Context, string) error, all bulkAction[*SelectedLetters]) error {
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	if len(i.arguments) > 0 {
		store, err := source.DeadLetters(i.values.queue)
		if err != nil {
			return err
		}
		return i.actOnNamed(verb, func(id string) error { return one(store, ctx, id) })
	}
	selected, err := SelectLetters(ctx, source, i.Registry, i.values.queue, i.filter)
	if err != nil {
		return err
	}
	return i.actOnSelected(ctx, verb, "dead letters", selected.Selection, func(report func(Progress)) (Outcome, error) {
		return all(selected, ctx, report)
	})
}

func (i *invocation) delete(ctx context.Context) error {
	return i.actOnTasks(ctx, "delete", State(i.values.state), Source.Delete, (*SelectedTasks).Delete)
}

func (i *invocation) runNow(ctx context.Context) error {
	return i.actOnTasks(ctx, "run", Delayed, Source.RunNow, (*SelectedTasks).RunNow)
}

func (i *invocation) actOnTasks(ctx context.Context, verb string, state State,
	one func(Source, context.Context, string) error, all bulkAction[*SelectedTasks]) error {
	if len(i.arguments) > 0 {
		return i.actOnNamed(verb, func(uuid string) error {
			return i.inAny("task "+uuid, func(source Source) error { return one(source, ctx, uuid) })
		})
	}
	source, err := i.sourceOf(ctx)
	if err != nil {
		return err
	}
	selected, err := SelectTasks(ctx, source, i.Registry, i.values.queue, state, i.filter)
	if err != nil {
		return err
	}
	return i.actOnSelected(ctx, verb, string(state)+" tasks", selected.Selection, func(report func(Progress)) (Outcome, error) {
		return all(selected, ctx, report)
	})
}

// actOnNamed acts on each that the command line names. One that fails keeps no other from it.
func (i *invocation) actOnNamed(verb string, act func(id string) error) error {
	var failed Outcome
	for _, id := range i.arguments {
		err := act(id)
		switch {
		case err == nil:
			failed.Done++
		case isAboutOne(err) && len(i.arguments) > 1:
			failed.Failed++
			failed.Failures = append(failed.Failures, Failure{id, err})
		case failed.Done+failed.Failed > 0:
			return errors.Join(err, i.writeOutcome(verb, failed))
		default:
			return err
		}
	}
	return i.writeOutcome(verb, failed)
}

// actOnSelected says how many are selected, asks, and acts.
func (i *invocation) actOnSelected(ctx context.Context, verb, what string, s Selection, act func(func(Progress)) (Outcome, error)) error {
	more := ""
	if s.More {
		more = " or more, of which these are the first"
	}
	fmt.Fprintf(i.Stderr, "%d %s of %s%s\n", s.Count, nounFor(s.Count, what), printable(i.values.queue), more)
	if s.Unread > 0 {
		fmt.Fprintf(i.Stderr, "%d could not be read and stay\n", s.Unread)
	}
	if i.values.dryRun || s.Count == 0 {
		return i.write(actionJSON{Selected: s.Count, Unread: s.Unread, Failures: []failureJSON{}}, nil)
	}
	if !i.values.yes {
		if err := i.confirm(ctx, fmt.Sprintf("%s them? [y/N] ", verb)); err != nil {
			return err
		}
	}
	outcome, err := act(i.progress(verb))
	return errors.Join(err, i.writeOutcome(verb, outcome))
}

// confirm asks whoever is there. The error is errNotAgreed for no, or that of ctx.
func (c *Command) confirm(ctx context.Context, question string) error {
	fmt.Fprint(c.Stderr, question)
	answered := make(chan string, 1)
	go func() { // until the end of the program, where nobody answers
		answer, _ := bufio.NewReader(c.Stdin).ReadString('\n')
		answered <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case answer := <-answered:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errNotAgreed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// progress reports every hundredth part.
func (c *Command) progress(verb string) func(Progress) {
	return func(p Progress) {
		ended := p.Done + p.Failed
		if step := max(1, p.Total/100); p.Total > 100 && (ended%step == 0 || ended == p.Total) {
			fmt.Fprintf(c.Stderr, "\r%s: %d of %d, %d failed", verb, ended, p.Total, p.Failed)
			if ended == p.Total {
				fmt.Fprintln(c.Stderr)
			}
		}
	}
}

type (
	actionJSON struct {
		Selected int           `json:"selected"`
		Unread   int           `json:"unread"`
		Done     int           `json:"done"`
		Failed   int           `json:"failed"`
		Failures []failureJSON `json:"failures"`
	}
	failureJSON struct {
		ID    string `json:"id"`
		Error string `json:"error"`
	}
)

// writeOutcome says what was done, and fails where something was left.
func (i *invocation) writeOutcome(verb string, o Outcome) error {
	written := actionJSON{Selected: o.Done + o.Failed, Done: o.Done, Failed: o.Failed, Failures: []failureJSON{}}
	for _, f := range o.Failures {
		written.Failures = append(written.Failures, failureJSON{f.ID, f.Err.Error()})
	}
	if i.values.json {
		if err := i.write(written, nil); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(i.Stdout, "%s: %d done, %d failed\n", verb, o.Done, o.Failed)
		for _, f := range o.Failures {
			fmt.Fprintf(i.Stderr, "%s: %s\n", printable(f.ID), printable(f.Err.Error()))
		}
	}
	if o.Failed > 0 {
		return fmt.Errorf("%d of %d: %w", o.Failed, o.Done+o.Failed, errPartly)
	}
	return nil
}
