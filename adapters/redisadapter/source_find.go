package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// findAttempts is how often a task is looked for that was elsewhere when it was to be read or removed.
const findAttempts = 5

// location is where a task was found. Its position is from the end in a list.
type location struct{ entry }

// Task returns the task with a UUID. It looks first where it is quick, and last in what waits, in the direction in which
// tasks move, so that it finds one that moves meanwhile.
func (s *source) Task(ctx context.Context, uuid string) (inspect.Task, error) {
	for range findAttempts {
		at, err := s.find(ctx, uuid)
		if err != nil {
			return inspect.Task{}, err
		}
		whole, there, err := s.whole(ctx, at)
		if err != nil {
			return inspect.Task{}, fmt.Errorf("task %q: %w", uuid, err)
		}
		if !there {
			continue
		}
		tasks := []inspect.Task{s.taskOf(whole)}
		return tasks[0], s.addSent(ctx, tasks)
	}
	return inspect.Task{}, notFound(uuid)
}

func notFound(uuid string) error {
	return fmt.Errorf("task %.100q: %w", uuid, inspect.ErrNotFound)
}

// find returns inspect.ErrNotFound where no queue has a task with the UUID.
func (s *source) find(ctx context.Context, uuid string) (location, error) {
	queues, err := s.known(ctx)
	if err != nil {
		return location{}, err
	}
	if uuid == "" {
		return location{}, notFound(uuid)
	}
	needle, _ := json.Marshal(uuid)
	f := finder{source: s, uuid: uuid, needle: string(needle[1 : len(needle)-1])}
	for _, step := range []func(context.Context, []string) (*location, error){f.listed, f.quick, f.slow, f.quick} {
		at, err := step(ctx, lists(queues))
		if err != nil {
			return location{}, fmt.Errorf("find task %.100q: %w", uuid, err)
		}
		if at != nil {
			return *at, nil
		}
	}
	return location{}, notFound(uuid)
}

// finder looks for a task. Its needle is what the JSON of each message with the UUID has in it, as Machinery writes it;
// empty to look at all.
type finder struct {
	source       *source
	uuid, needle string
}

// listed looks where the task was listed last.
func (f *finder) listed(ctx context.Context, _ []string) (*location, error) {
	at, known := f.source.listed.of(f.uuid)
	if !known {
		return nil, nil
	}
	from, to := max(at.position-listedBefore, 0), at.position+listedAfter
	found, err := f.inPlace(ctx, &at.place, from, to)
	if found != nil || err != nil {
		return found, err
	}
	// Who has sent it may have written its UUID in another way than Machinery does.
	anyhow := finder{source: f.source, uuid: f.uuid}
	return anyhow.inPlace(ctx, &at.place, from, to)
}

// quick looks where few tasks are: those that run, have come back, or are on their way from the delayed.
func (f *finder) quick(ctx context.Context, queues []string) (*location, error) {
	places := f.source.delayedPlaces()[:1]
	for _, queue := range queues {
		running, err := f.source.running(ctx, queue)
		if err != nil {
			return nil, err
		}
		places = append(append(places, putBackPlaces(queue)...), running...)
	}
	return f.in(ctx, places)
}

// slow looks where many tasks may be.
func (f *finder) slow(ctx context.Context, queues []string) (*location, error) {
	places := f.source.delayedPlaces()[1:]
	for _, queue := range queues {
		waiting, err := f.source.waiting(ctx, queue)
		if err != nil {
			return nil, err
		}
		places = append(places, waiting...)
	}
	return f.in(ctx, places)
}

func (f *finder) in(ctx context.Context, places []place) (*location, error) {
	for i := range places {
		if at, err := f.inPlace(ctx, &places[i], 0, math.MaxInt); at != nil || err != nil {
			return at, err
		}
	}
	return nil, nil
}

// inPlace looks between two positions.
func (f *finder) inPlace(ctx context.Context, p *place, from, to int) (*location, error) {
	script := readFromEnd
	if p.scores != none {
		script = readSortedSet
	}
	for r := (reading{from: from, follow: unknownFollow, want: 16, cut: inspect.MaxBody, needle: f.needle}); ; {
		got, err := f.source.readBy(ctx, script, p, r)
		if err != nil {
			return nil, err
		}
		for _, e := range got.entries {
			if task := f.source.taskOf(e); task.UUID == f.uuid {
				return &location{e}, nil
			}
		}
		if got.next == r.from || got.next >= min(got.length, to) {
			return nil, nil
		}
		r.from = got.next
	}
}

// These answer with the message at a position, as they read places, where it has this length and beginning.
var (
	wholeFromEnd   = redis.NewScript(fromEnd + sameMessage + `return same() or false`)
	wholeSortedSet = redis.NewScript(sortedSet + sameMessage + `return same() or false`)
)

// sameMessage is a function of scripts that returns the message at a position, nil where it is another one now, and
// after it the member of the sorted set.
const sameMessage = `
local position, length, beginning, labelled = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local function same()
	local member = range(position, position)[1]
	local message = member
	if message and labelled then
		message = string.sub(message, string.find(message, ':', 1, true) + 1)
	end
	if message and #message == length and string.sub(message, 1, #beginning) == beginning then
		return message, member
	end
end
`

// by returns the script for lists or the one for sorted sets, and its arguments.
func (at location) by(list, set *redis.Script) (*redis.Script, []any) {
	labelled := 0
	if at.place.scores == milliseconds {
		labelled = 1
	}
	args := []any{at.position, at.size, at.beginning, labelled}
	if at.place.scores == none {
		return list, args
	}
	return set, args
}

// whole reads the rest of a message, and reports whether it is still there.
func (s *queueReader) whole(ctx context.Context, at location) (entry, bool, error) {
	if at.size == len(at.beginning) {
		return at.entry, true, nil
	}
	script, args := at.by(wholeFromEnd, wholeSortedSet)
	body, err := script.Run(ctx, s.client, []string{at.place.key}, args...).Text()
	if errors.Is(err, redis.Nil) {
		return entry{}, false, nil
	}
	if err != nil {
		return entry{}, false, err
	}
	e := at.entry
	e.beginning = body
	return e, true, s.addFailures(ctx, &e)
}

// addFailures counts those of a message that was too large for a script to do so.
func (s *queueReader) addFailures(ctx context.Context, e *entry) error {
	if e.place.deliveries == "" {
		return nil
	}
	failures, err := s.client.ZScore(ctx, e.place.deliveries, digestOf(e.beginning)).Result()
	if err != nil && !isReply(err) {
		return err
	}
	e.failures = int(failures)
	return nil
}
