package redisadapter

import "strings"

// queueKeys are the keys of a queue. All lie in one slot of a Redis Cluster, so that a script may use them together.
type queueKeys struct {
	queue      string // list: what waits, the next one at its head; Machinery's
	consumers  string // sorted set: consumers by when their next heartbeat is overdue, in Redis' milliseconds
	deliveries string // sorted set: digests of messages by how often a delivery of theirs came to nothing
	suspects   string // list: messages that two workers or more have died of
	deferred   string // sorted set: messages put back after an error, by when they are to come again
}

func keysOf(queue string) queueKeys {
	return queueKeys{
		queue:      queue,
		consumers:  beside(queue, ":consumers"),
		deliveries: beside(queue, ":deliveries"),
		suspects:   beside(queue, ":suspects"),
		deferred:   beside(queue, ":deferred"),
	}
}

// processing is the list of the messages that a consumer has taken, the oldest at its head.
func (k queueKeys) processing(consumer string) string {
	return beside(k.queue, ":processing:"+consumer)
}

// DeadLettersKey is the key of the dead letters that a broker keeps for a queue of its own accord, without
// WithDeadLetters.
func DeadLettersKey(queue string) string { return beside(queue, ":dead") }

// beside names a key in another key's slot of a Redis Cluster. A key that names its slot in braces does so in what is
// made of it too.
func beside(key, suffix string) string {
	_, afterBrace, _ := strings.Cut(key, "{")
	if strings.Index(afterBrace, "}") > 0 {
		return key + suffix
	}
	return "{" + key + "}" + suffix
}
