package redisadapter

import (
	"context"
	"fmt"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// lettersPageScript answers with entries as XRANGE does, the values of each cut at so many bytes, and before them 1 where
// there are more: it reads no more once they have so many bytes together.
var lettersPageScript = redis.NewScript(`
local letters, from, limit, cut, maxBytes = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local reply, touched = {0}, 0
while true do
	local entry = redis.call('XRANGE', letters, from, '+', 'COUNT', 1)[1]
	if not entry then
		return reply
	end
	if #reply > limit or touched >= maxBytes then
		reply[1] = 1
		return reply
	end
	for i = 2, #entry[2], 2 do
		touched = touched + #entry[2][i]
		entry[2][i] = string.sub(entry[2][i], 1, cut)
	end
	reply[#reply + 1], from = entry, '(' .. entry[1]
end
`)

// Letters returns a page of the dead letters of a queue.
func (s *source) Letters(ctx context.Context, queue string, page inspect.Page) (inspect.LetterPage, error) {
	if page.Cursor != "" && !isID(page.Cursor) {
		return inspect.LetterPage{}, fmt.Errorf("%q: %w", page.Cursor, inspect.ErrCursor)
	}
	if err := s.check(ctx, queue); err != nil {
		return inspect.LetterPage{}, err
	}
	r := letterReader{source: s, store: s.lettersOf(queue), queue: queue, last: page.Cursor, want: page.Size()}
	if err := r.read(ctx); err != nil {
		return inspect.LetterPage{}, fmt.Errorf("dead letters of queue %s: %w", queue, err)
	}
	return inspect.LetterPage{Letters: r.letters, Next: r.next()}, nil
}

// letterReader reads a page of those letters of a store that are of a queue.
type letterReader struct {
	source *source
	store  *DeadLetters
	queue  string
	last   string // the ID of the letter that was read last
	want   int

	letters         []deadletter.Letter
	more            bool
	bytes, examined int
}

func (r *letterReader) read(ctx context.Context) error {
	for r.more = true; r.more && len(r.letters) < r.want && r.bytes < pageBytes && r.examined < pageExamined; {
		from := "-"
		if r.last != "" {
			from = "(" + r.last
		}
		limit := min(r.want-len(r.letters), lettersPage)
		reply, err := lettersPageScript.Run(ctx, r.source.client, []string{r.store.key}, from, limit, inspect.MaxBody, maxReplyBytes).Slice()
		if isWrongType(err) {
			r.more = false
			return nil
		}
		if err != nil {
			return err
		}
		r.more = integer(reply[0]) > 0
		for _, entry := range reply[1:] {
			r.add(r.store.letterOf(list(entry)))
		}
	}
	return nil
}

// add leaves out letters of other queues, where several share a store.
func (r *letterReader) add(letter deadletter.Letter) {
	r.last = letter.ID
	r.examined++
	if r.source.letters != nil && letter.Queue != r.queue && (letter.Queue != "" || r.queue != r.source.defaultQueue) {
		return
	}
	if letter.Task == nil && len(letter.Body) == inspect.MaxBody {
		letter.UUID = readHead(string(letter.Body)).UUID
	}
	r.letters = append(r.letters, letter)
	r.bytes += len(letter.Body) + len(letter.Reason)
}

func (r *letterReader) next() string {
	if !r.more {
		return ""
	}
	return r.last
}
