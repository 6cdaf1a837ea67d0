package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// defaultMostDeadLetters bounds dead letters whose owner says nothing about it.
const defaultMostDeadLetters = 10_000

// ErrNoDeadLetter is returned where no dead letter has the ID.
var ErrNoDeadLetter = errors.New("no dead letter with this ID")

// DeadLetters keep, in a stream in Redis, messages that no worker can do, for somebody to look at. Any number of
// processes may use them at once. They implement middleware.DeadLetters.
type DeadLetters struct {
	client redis.UniversalClient
	key    string
	most   int64
}

// DeadLettersOption changes how dead letters are kept.
type DeadLettersOption func(*DeadLetters)

// KeepDeadLetters sets how many dead letters are kept at most (default 10,000): each one more removes the oldest. 0
// keeps them all.
func KeepDeadLetters(most int) DeadLettersOption {
	return func(d *DeadLetters) { d.most = int64(most) }
}

// NewDeadLetters returns the dead letters under a key, which nothing else may use. The client stays the caller's.
func NewDeadLetters(client redis.UniversalClient, key string, opts ...DeadLettersOption) *DeadLetters {
	d := &DeadLetters{client: client, key: key, most: defaultMostDeadLetters}
	for _, option := range opts {
		option(d)
	}
	return d
}

// DeadLetter is a message and why it is here.
type DeadLetter struct {
	ID      string
	Message []byte // as it was received, byte for byte
	// Signature is the task in the message, or nil where it holds none.
	Signature *tasks.Signature
	Queue     string // where it was received, or was to be sent
	Reason    string // an error's text, which can quote values
	Time      time.Time
}

// The fields of an entry in the stream.
const (
	messageField = "message"
	queueField   = "queue"
	reasonField  = "reason"
)

// Push keeps a task. The error wraps that of json.Marshal or of the client.
func (d *DeadLetters) Push(ctx context.Context, signature *tasks.Signature, reason error) error {
	message, err := json.Marshal(signature)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	letter := DeadLetter{Message: message, Queue: signature.RoutingKey}
	if reason != nil {
		letter.Reason = reason.Error()
	}
	return d.add(ctx, letter)
}

func (d *DeadLetters) add(ctx context.Context, letter DeadLetter) error {
	err := d.client.XAdd(ctx, &redis.XAddArgs{
		Stream: d.key,
		MaxLen: d.most,
		Values: []any{messageField, letter.Message, queueField, letter.Queue, reasonField, letter.Reason},
	}).Err()
	if err != nil {
		return fmt.Errorf("push to dead letters %s: %w", d.key, err)
	}
	return nil
}

// Count returns how many dead letters there are.
func (d *DeadLetters) Count(ctx context.Context) (int64, error) {
	count, err := d.client.XLen(ctx, d.key).Result()
	if err != nil {
		return 0, fmt.Errorf("count dead letters %s: %w", d.key, err)
	}
	return count, nil
}

// List returns the oldest dead letters after the one with the given ID, from the oldest of all when that is empty; at
// most so many. The error is ErrNoDeadLetter for what is no ID, or wraps the client's.
func (d *DeadLetters) List(ctx context.Context, after string, most int) ([]DeadLetter, error) {
	if after == "" {
		return d.between(ctx, "-", "+", most)
	}
	if !isID(after) {
		return nil, ErrNoDeadLetter
	}
	return d.between(ctx, "("+after, "+", most)
}

func (d *DeadLetters) between(ctx context.Context, from, to string, most int) ([]DeadLetter, error) {
	entries, err := d.client.XRangeN(ctx, d.key, from, to, int64(most)).Result()
	if err != nil {
		return nil, fmt.Errorf("read dead letters %s: %w", d.key, err)
	}
	letters := make([]DeadLetter, len(entries))
	for i, entry := range entries {
		letters[i] = letterOf(entry)
	}
	return letters, nil
}

func letterOf(entry redis.XMessage) DeadLetter {
	message := text(entry.Values[messageField])
	letter := DeadLetter{
		ID:      entry.ID,
		Message: []byte(message),
		Queue:   text(entry.Values[queueField]),
		Reason:  text(entry.Values[reasonField]),
		Time:    timeOf(entry.ID),
	}
	letter.Signature, _ = decodeTask(message)
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

// Get returns one dead letter. The error is ErrNoDeadLetter or wraps the client's.
func (d *DeadLetters) Get(ctx context.Context, id string) (DeadLetter, error) {
	if !isID(id) {
		return DeadLetter{}, ErrNoDeadLetter
	}
	letters, err := d.between(ctx, id, id, 1)
	if err != nil {
		return DeadLetter{}, err
	}
	if len(letters) == 0 {
		return DeadLetter{}, ErrNoDeadLetter
	}
	return letters[0], nil
}

// isID tells apart what Redis would call a syntax error.
func isID(id string) bool {
	milliseconds, sequence, _ := strings.Cut(id, "-")
	_, err := strconv.ParseUint(milliseconds, 10, 64)
	_, sequenceErr := strconv.ParseUint(sequence, 10, 64)
	return err == nil && sequenceErr == nil
}

// Drop removes one dead letter. The error is ErrNoDeadLetter or wraps the client's.
func (d *DeadLetters) Drop(ctx context.Context, id string) error {
	if !isID(id) {
		return ErrNoDeadLetter
	}
	dropped, err := d.client.XDel(ctx, d.key, id).Result()
	if err != nil {
		return fmt.Errorf("drop from dead letters %s: %w", d.key, err)
	}
	if dropped == 0 {
		return ErrNoDeadLetter
	}
	return nil
}

// DropAll removes all dead letters.
func (d *DeadLetters) DropAll(ctx context.Context) error {
	if err := d.client.Del(ctx, d.key).Err(); err != nil {
		return fmt.Errorf("drop dead letters %s: %w", d.key, err)
	}
	return nil
}
