package redisadapter

// maxReplyBytes bounds a reply that brings messages, but for one message, which may be larger: the client reads a reply
// as a whole, in its ReadTimeout.
const maxReplyBytes = 1 << 20

// budget is how many bytes of messages to ask for at once. Where replies do not come in time it falls, down to one
// message at a time, and it rises slowly.
type budget struct{ withheld int }

func (b *budget) bytes() int { return maxReplyBytes - b.withheld }

// note adapts the budget to how a request has ended.
func (b *budget) note(err error) {
	if err != nil {
		b.withheld = maxReplyBytes - b.bytes()/4
		return
	}
	b.withheld = max(0, b.withheld-maxReplyBytes/64)
}
