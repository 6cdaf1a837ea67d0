package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// chooseSource leaves the source that -source names.
func (i *invocation) chooseSource() error {
	if len(i.sources) == 0 {
		return usagef("there is no source to look at")
	}
	if i.values.source == "" {
		return nil
	}
	names := namesOf(i.sources)
	at := slices.Index(names, i.values.source)
	if at < 0 {
		return usagef("-source: unknown source %q, want one of %s", i.values.source, strings.Join(names, ", "))
	}
	i.sources = i.sources[at : at+1]
	return nil
}

// chooseQueue looks at the only queue, where -queue names none. What acts on a queue has to name it.
func chooseQueue(ctx context.Context, i *invocation) error {
	if !lacksQueue(i) {
		return nil
	}
	names, err := queueNames(ctx, i.sources)
	looks := i.subcommand.has("limit")
	switch {
	case looks && err != nil:
		return err
	case looks && len(names) == 1:
		i.values.queue = names[0]
		return nil
	case len(names) == 0:
		return usagef("%s: -queue is missing", i.subcommand.name)
	}
	const most = 10
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return usagef("%[1]s: -queue is missing after %[1]s, want one of %[2]s", i.subcommand.name, printable(strings.Join(names, ", ")))
}

// queueNames returns the names of all queues, each once.
func queueNames(ctx context.Context, sources []Source) ([]string, error) {
	var names []string
	for _, source := range sources {
		queues, err := source.Queues(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.Name(), err)
		}
		for _, q := range queues {
			names = append(names, q.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func namesOf(sources []Source) []string {
	names := make([]string, len(sources))
	for n, source := range sources {
		names[n] = source.Name()
	}
	return names
}

// sourceOf returns the one source that has the queue of -queue.
func (i *invocation) sourceOf(ctx context.Context) (Source, error) {
	var having []Source
	for _, source := range i.sources {
		queues, err := source.Queues(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.Name(), err)
		}
		if slices.ContainsFunc(queues, func(q Queue) bool { return q.Name == i.values.queue }) {
			having = append(having, source)
		}
	}
	switch len(having) {
	case 0:
		return nil, fmt.Errorf("queue %q: %w", i.values.queue, ErrNotFound)
	case 1:
		return having[0], nil
	}
	return nil, usagef("several sources have queue %q: say which by -source", i.values.queue)
}

// inAny asks one source after the other until one finds it. A source that cannot tell keeps no other from being asked.
func (i *invocation) inAny(what string, ask func(Source) error) error {
	missing := fmt.Errorf("%s: %w", what, ErrNotFound)
	for _, source := range i.sources {
		err := ask(source)
		switch {
		case err == nil:
			return nil
		case isUnsupported(err):
			missing = fmt.Errorf("%s: %w", source.Name(), err)
		case !errors.Is(err, ErrNotFound):
			return fmt.Errorf("%s: %w", source.Name(), err)
		}
	}
	return missing
}

func isUnsupported(err error) bool { return errors.Is(err, ErrUnsupported) }
