package redisadapter

import "sync"

// countDone gives scripts a function that adds what a consumer has done to the counter of its queue: what is neither
// counted as far as the consumer knows, nor told by the report that its last heartbeat wrote, whose reply may be lost.
// Nothing else fails for the counter. It is counted by DECRBY because workers have had that right before.
const countDone = `
local function countDone(counter, report, total, counted)
	local told = string.match(redis.call('GET', report) or '', '"done":(%d+)') or 0
	local more = tonumber(total) - math.max(tonumber(counted), tonumber(told))
	if more > 0 then
		redis.pcall('DECRBY', counter, string.format('-%.0f', more))
	end
end
`

// doneCount is how many messages a consumer has acknowledged, and of how many it knows that they are in the counter of
// the queue.
type doneCount struct {
	mu             sync.Mutex
	total, counted int64
}

func (d *doneCount) add(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total += int64(n)
}

func (d *doneCount) get() (total, counted int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total, d.counted
}

// noteCounted is called with the total that Redis has counted.
func (d *doneCount) noteCounted(total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counted = max(d.counted, total)
}
