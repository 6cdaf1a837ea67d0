package redisadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// lettersPage is how many dead letters are read at a time.
	lettersPage = 100
	// addedExpiry is how long a letter may be added again without being there twice: longer than most outages.
	addedExpiry = time.Hour
)

// DeadLetter is a message that no worker can process, and why it is here.
type DeadLetter = deadletter.Letter

// DeadLetters keep, in a stream in Redis, messages that no worker can process, for somebody to look at. They are a
// deadletter.Store, safe for concurrent use.
type DeadLetters struct {
	client  redis.UniversalClient
	key     string
	bounds  letterBounds
	logger  *slog.Logger
	queues  []string // to which letters may be replayed; those that workers have noted where nil
	verify  func(*tasks.Signature) error
	evicted atomic.Int64
	// maxMessage is how long a message may be to be read as a task.
	maxMessage int
	// invalid is what is wrong with the options.
	invalid error
}

var _ deadletter.Store = (*DeadLetters)(nil)

// DeadLettersOption changes how dead letters are kept and replayed. One that cannot be meant is an ErrConfig of every
// method, and of a broker with these dead letters.
type DeadLettersOption interface {
	applyToDeadLetters(*DeadLetters) error
}

type deadLettersOption func(*DeadLetters) error

func (o deadLettersOption) applyToDeadLetters(d *DeadLetters) error { return o(d) }

// NewDeadLetters returns the dead letters under a key, which nothing else may use. The client stays the caller's.
func NewDeadLetters(client redis.UniversalClient, key string, opts ...DeadLettersOption) *DeadLetters {
	d := &DeadLetters{client: client, key: key, logger: middleware.MachineryLogger(), maxMessage: delivery.DefaultMaxMessage}
	for _, option := range opts {
		d.invalid = errors.Join(d.invalid, option.applyToDeadLetters(d))
	}
	return d
}

// The fields of an entry in the stream.
const (
	messageField = "message"
	queueField   = "queue"
	reasonField  = "reason"
)

// Push keeps a task. The error wraps that of json.Marshal or of the client.
func (d *DeadLetters) Push(ctx context.Context, signature *tasks.Signature, reason error) error {
	body, err := taskjson.MarshalTask(signature)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	letter := DeadLetter{Body: body, Queue: signature.RoutingKey}
	if reason != nil {
		letter.Reason = reason.Error()
	}
	return d.add(ctx, rand.Text(), letter)
}

// add does nothing more when it is called again with the same token: its reply may have been lost, whereupon the client
// repeats the command, and callers the call.
func (d *DeadLetters) add(ctx context.Context, token string, letter DeadLetter) error {
	if d.invalid != nil {
		return d.invalid
	}
	evicted, err := addLetter.Run(ctx, d.client, append(d.keys(), beside(d.key, ":added:"+token)), letter.Body, letter.Queue,
		letter.Reason, d.bounds.letters, d.bounds.bytes, addedExpiry.Milliseconds()).StringSlice()
	if err != nil {
		return fmt.Errorf("push to dead letters %s: %w", d.key, err)
	}
	d.noteEvictions(evicted)
	return nil
}

// Count returns how many dead letters there are. The error wraps the client's.
func (d *DeadLetters) Count(ctx context.Context) (int, error) {
	if d.invalid != nil {
		return 0, d.invalid
	}
	count, err := d.client.XLen(ctx, d.key).Result()
	if err != nil {
		return 0, fmt.Errorf("count dead letters %s: %w", d.key, err)
	}
	return int(count), nil
}

// Get returns one dead letter. The error is deadletter.ErrNotFound or wraps the client's.
func (d *DeadLetters) Get(ctx context.Context, id string) (DeadLetter, error) {
	if !isID(id) {
		return DeadLetter{}, deadletter.ErrNotFound
	}
	letters, err := d.between(ctx, id, id, 1)
	if err != nil {
		return DeadLetter{}, err
	}
	if len(letters) == 0 {
		return DeadLetter{}, deadletter.ErrNotFound
	}
	return letters[0], nil
}

// All goes through the dead letters that are there when it begins, oldest first. It reads them a hundred at a time,
// fewer where they are large. An error, which wraps the client's, ends it and comes last.
func (d *DeadLetters) All(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		newest, err := d.newest(ctx)
		for from := "-"; err == nil && newest != ""; {
			var page []DeadLetter
			page, err = d.between(ctx, from, newest, lettersPage)
			for _, letter := range page {
				if !yield(letter, nil) {
					return
				}
			}
			if len(page) == 0 || page[len(page)-1].ID == newest {
				break
			}
			from = "(" + page[len(page)-1].ID
		}
		if err != nil {
			yield(DeadLetter{}, err)
		}
	}
}

// newest returns the ID of the newest dead letter, empty where there is none.
func (d *DeadLetters) newest(ctx context.Context) (string, error) {
	if d.invalid != nil {
		return "", d.invalid
	}
	entries, err := d.client.XRevRangeN(ctx, d.key, "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("read dead letters %s: %w", d.key, err)
	}
	if len(entries) == 0 {
		return "", nil
	}
	return entries[0].ID, nil
}

// lettersBetween answers with entries as XRANGE does, no more once they have so many bytes together.
var lettersBetween = redis.NewScript(sizeOfLetter + `
local letters, from, to, limit, maxBytes = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local reply, bytes = {}, 0
while #reply < limit and bytes < maxBytes do
	local entry = redis.call('XRANGE', letters, from, to, 'COUNT', 1)[1]
	if not entry then
		break
	end
	reply[#reply + 1], bytes, from = entry, bytes + size(entry), '(' .. entry[1]
end
return reply
`)

func (d *DeadLetters) between(ctx context.Context, from, to string, limit int64) ([]DeadLetter, error) {
	if d.invalid != nil {
		return nil, d.invalid
	}
	entries, err := lettersBetween.Run(ctx, d.client, []string{d.key}, from, to, limit, maxReplyBytes).Slice()
	if err != nil {
		return nil, fmt.Errorf("read dead letters %s: %w", d.key, err)
	}
	letters := make([]DeadLetter, len(entries))
	for i, entry := range entries {
		letters[i] = d.letterOf(list(entry))
	}
	return letters, nil
}

// letterOf reads an entry as XRANGE answers it.
func (d *DeadLetters) letterOf(entry []any) DeadLetter {
	if len(entry) < 2 {
		return DeadLetter{}
	}
	id, fields := text(entry[0]), make(map[string]string)
	for pair := range slices.Chunk(list(entry[1]), 2) {
		fields[text(pair[0])] = text(pair[len(pair)-1])
	}
	letter := DeadLetter{
		ID:     id,
		Body:   []byte(fields[messageField]),
		Queue:  fields[queueField],
		Reason: fields[reasonField],
		Time:   timeOf(id),
	}
	if signature, err := delivery.DecodeWithin(letter.Body, d.maxMessage); err == nil {
		letter.Task, letter.UUID = signature, signature.UUID
	}
	return letter
}

// timeOf reads the time, by Redis' clock, that every ID in a stream begins with.
func timeOf(id string) time.Time {
	digits, _, _ := strings.Cut(id, "-")
	milliseconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// isID tells apart what Redis would call a syntax error.
func isID(id string) bool {
	milliseconds, sequence, _ := strings.Cut(id, "-")
	_, err := strconv.ParseUint(milliseconds, 10, 64)
	_, sequenceErr := strconv.ParseUint(sequence, 10, 64)
	return err == nil && sequenceErr == nil
}

// Drop removes one dead letter. The error is deadletter.ErrNotFound or wraps the client's.
func (d *DeadLetters) Drop(ctx context.Context, id string) error {
	if d.invalid != nil {
		return d.invalid
	}
	if !isID(id) {
		return deadletter.ErrNotFound
	}
	dropped, err := dropLetter.Run(ctx, d.client, d.keys(), id).Int()
	if err != nil {
		return fmt.Errorf("drop from dead letters %s: %w", d.key, err)
	}
	if dropped == 0 {
		return deadletter.ErrNotFound
	}
	return nil
}

// DropAll removes the dead letters that are there when it begins, and returns how many. The error wraps the client's.
func (d *DeadLetters) DropAll(ctx context.Context) (int, error) {
	if d.invalid != nil {
		return 0, d.invalid
	}
	dropped, err := dropAllLetters.Run(ctx, d.client, d.keys()).Int()
	if err != nil {
		return 0, fmt.Errorf("drop dead letters %s: %w", d.key, err)
	}
	return dropped, nil
}
