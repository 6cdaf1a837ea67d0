package amqpadapter

import "slices"

// deliveryTags are those of the messages that one channel has delivered and that are not acknowledged. RabbitMQ counts
// them from 1 on, over all consumers of the channel, of which each may hand out its own later than the others.
type deliveryTags struct {
	unsettled []uint64 // in ascending order
	last      uint64
}

// deliver notes a message that was handed out, and with it all before it that are still to be.
func (t *deliveryTags) deliver(tag uint64) {
	for t.last < tag {
		t.last++
		t.unsettled = append(t.unsettled, t.last)
	}
}

// settle notes that nothing is left to do for a message.
func (t *deliveryTags) settle(tag uint64) {
	i, found := slices.BinarySearch(t.unsettled, tag)
	if !found {
		return
	}
	copy(t.unsettled[1:i+1], t.unsettled[:i]) // few are older than one that is settled
	t.unsettled = t.unsettled[1:]
}

// settledTo returns the last message of those before which, itself among them, none is left.
func (t *deliveryTags) settledTo() uint64 {
	if len(t.unsettled) == 0 {
		return t.last
	}
	return t.unsettled[0] - 1
}
