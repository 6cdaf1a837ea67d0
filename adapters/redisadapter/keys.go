package redisadapter

import "strings"

// queueKeys are the keys of a queue. All lie in one slot of a Redis Cluster, so that a script may use them together.
type queueKeys struct {
	queue      string // list: what waits, the next one at its head; Machinery's
	consumers  string // sorted set: consumers by when their next heartbeat is overdue, in Redis' milliseconds
	deliveries string // sorted set: digests of messages by how many attempts at them have failed
	isolated   string // list: messages that several workers have died of, to run one at a time
	deferred   string // sorted set: messages put back after an error, by when they are to come again
	priorities string // string: that the queue has priorities
	paused     string // string: that workers take nothing from the queue
	done       string // string: how many messages workers have done
}

func keysOf(queue string) queueKeys {
	return queueKeys{
		queue:      queue,
		consumers:  beside(queue, ":consumers"),
		deliveries: beside(queue, ":deliveries"),
		isolated:   beside(queue, ":isolated"),
		deferred:   beside(queue, ":deferred"),
		priorities: beside(queue, ":priorities"),
		paused:     beside(queue, ":paused"),
		done:       beside(queue, ":done"),
	}
}

// processing is the list of the messages that a consumer has taken, the oldest at its head.
func (k queueKeys) processing(consumer string) string {
	return beside(k.queue, ":processing:"+consumer)
}

// report is what a consumer tells of its worker and what that runs.
func (k queueKeys) report(consumer string) string { return beside(k.queue, ":worker:"+consumer) }

// DeadLettersKey is the key of the dead letters that a broker keeps for a queue without WithDeadLetters.
func DeadLettersKey(queue string) string { return beside(queue, ":dead") }

// beside names a key in another key's slot of a Redis Cluster. A key that names its slot in braces does so in what is
// made of it too.
func beside(key, suffix string) string {
	if _, has := slotTag(key); has {
		return key + suffix
	}
	return "{" + key + "}" + suffix
}

// slotTag returns the part of a key in braces that names its slot.
func slotTag(key string) (tag string, has bool) {
	_, afterBrace, _ := strings.Cut(key, "{")
	tag, _, has = strings.Cut(afterBrace, "}")
	return tag, has && tag != ""
}
