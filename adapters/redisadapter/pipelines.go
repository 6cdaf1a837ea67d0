package redisadapter

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-redis/redis/v8"
)

// maxPipelined bounds a pipeline: one that is lost is sent again as a whole, and its replies come in one ReadTimeout.
const maxPipelined = 128

// maxPipelinedBytes is how large a command may be to share a pipeline: others would wait for a larger one.
const maxPipelinedBytes = 16 << 10

// A second pipeline goes while the first is under way, so that Redis and this process work at the same time, where so
// many calls share it: fewer would each pay for more of a round trip.
const (
	maxUnderWay = 2
	minShared   = 4
)

// pipelines send the commands of concurrent calls together: what comes while a pipeline is under way gathers for the
// next one. Nobody waits for others to come.
type pipelines struct {
	client redis.UniversalClient
	// single is set where one server has all keys. In a Redis Cluster a call would wait for the slowest of the servers
	// that other calls need.
	single bool

	mu      sync.Mutex
	leading int  // pipelines under way, each of which a call leads
	crowded bool // several calls shared the last pipeline
	waiting []*call
}

// A call is one of those whose commands go in one pipeline. One of them leads: it sends the commands of all.
type call struct {
	ctx     context.Context
	queue   func(redis.Pipeliner) // nil where it sends a task
	sending *sending
	leads   bool
	turn    chan struct{} // closed when the commands are sent, or when the call is to lead
}

func newPipelines(client redis.UniversalClient) *pipelines {
	_, single := client.(*redis.Client)
	return &pipelines{client: client, single: single}
}

// run is as script.Run on the client.
func (p *pipelines) run(ctx context.Context, script *redis.Script, keys []string, args ...any) *redis.Cmd {
	if !p.single || sizeOf(args) > maxPipelinedBytes {
		return script.Run(ctx, p.client, keys, args...)
	}
	var reply *redis.Cmd
	if err := p.do(ctx, func(pipe redis.Pipeliner) { reply = script.EvalSha(ctx, pipe, keys, args...) }); err != nil {
		return failed(ctx, err)
	}
	if err := reply.Err(); err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT ") {
		return script.Run(ctx, p.client, keys, args...)
	}
	return reply
}

// rpush is as RPush of the client.
func (p *pipelines) rpush(ctx context.Context, key string, value []byte) error {
	if !p.single || len(value) > maxPipelinedBytes {
		return p.client.RPush(ctx, key, value).Err()
	}
	var reply *redis.IntCmd
	if err := p.do(ctx, func(pipe redis.Pipeliner) { reply = pipe.RPush(ctx, key, value) }); err != nil {
		return err
	}
	return reply.Err()
}

func sizeOf(args []any) int {
	size := 0
	for _, arg := range args {
		switch arg := arg.(type) {
		case []byte:
			size += len(arg)
		case string:
			size += len(arg)
		}
	}
	return size
}

func failed(ctx context.Context, err error) *redis.Cmd {
	reply := redis.NewCmd(ctx)
	reply.SetErr(err)
	return reply
}

// do sends the commands that queue adds to a pipeline, and returns when their replies are there. The error is that of
// the context: the commands may be sent all the same then, and must not be looked at.
func (p *pipelines) do(ctx context.Context, queue func(redis.Pipeliner)) error {
	return p.await(&call{ctx: ctx, queue: queue})
}

// await sends the commands of a call, as do.
func (p *pipelines) await(c *call) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if p.enter(c) {
		return p.lead(c)
	}
	select {
	case <-c.turn:
	case <-c.ctx.Done():
		if p.leave(c) {
			return c.ctx.Err()
		}
	}
	if c.leads {
		return p.lead(c)
	}
	return nil
}

// enter reports whether the call leads at once.
func (p *pipelines) enter(c *call) (leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leading == 0 || p.leading < maxUnderWay && len(p.waiting) >= minShared-1 {
		p.leading++
		return true
	}
	c.turn = make(chan struct{})
	p.waiting = append(p.waiting, c)
	return false
}

// leave reports whether a call may go whose context has ended: one that is to lead must.
func (p *pipelines) leave(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.leads {
		return false
	}
	for i, waiting := range p.waiting {
		if waiting == c {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			break
		}
	}
	return true
}

// lead sends the commands of a call and of those that wait, and has the next one lead. Where its context ends before,
// the pipeline goes on by itself for the others, at most as long as the client's timeouts and their contexts let it.
func (p *pipelines) lead(c *call) error {
	if p.isCrowded() {
		runtime.Gosched() // those who are about to call come along
	}
	together := append(p.gather(), c)
	if len(together) == 1 || c.ctx.Done() == nil {
		p.send(together)
		return nil
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.send(together)
	}()
	select {
	case <-sent:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// send sends the commands of calls, the last of which leads.
func (p *pipelines) send(calls []*call) {
	defer p.handOver()
	ctx, cancel := contextOf(calls)
	defer cancel()
	p.exec(ctx, calls)
	for _, c := range calls[:len(calls)-1] {
		close(c.turn)
	}
}

// exec sends the commands of calls, each of which gets its own error.
func (p *pipelines) exec(ctx context.Context, calls []*call) {
	pipe := p.client.Pipeline()
	var tasks []sendings
	for _, c := range calls {
		if c.sending != nil {
			tasks = join(tasks, c.sending)
		} else {
			c.queue(pipe)
		}
	}
	replies := make([]*redis.Cmd, len(tasks))
	for i, together := range tasks {
		replies[i] = together.eval(ctx, pipe)
	}
	_, _ = pipe.Exec(ctx)
	for i, together := range tasks {
		together.settle(replies[i])
	}
}

// contextOf ends when those of all calls have ended: nobody waits then, and what could not be sent is not to be sent
// later.
func contextOf(calls []*call) (context.Context, context.CancelFunc) {
	if len(calls) == 1 {
		return calls[0].ctx, func() {}
	}
	for _, c := range calls {
		if c.ctx.Done() == nil {
			return context.Background(), func() {}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var waiting atomic.Int32
	waiting.Store(int32(len(calls)))
	stops := make([]func() bool, len(calls))
	for i, c := range calls {
		stops[i] = context.AfterFunc(c.ctx, func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// isCrowded reports whether others are likely to call at the same moment. To wait for them wakes a thread, which is much
// for a single sender.
func (p *pipelines) isCrowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowded || len(p.waiting) > 0
}

// gather takes those calls out that go along.
func (p *pipelines) gather() []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.waiting), maxPipelined-1)
	p.crowded = n > 0
	together := p.waiting[:n:n] // to append to it copies
	p.waiting = p.waiting[n:]
	return together
}

func (p *pipelines) handOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || p.leading > 1 && len(p.waiting) < minShared {
		p.leading--
		return
	}
	next := p.waiting[0]
	p.waiting = p.waiting[1:]
	next.leads = true
	close(next.turn)
}
