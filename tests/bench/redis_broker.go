package main

import "fmt"

var redisBroker = section{
	title:     "redis broker and backend",
	benchmark: "RedisBroker",
	runs:      []run{{cpu: "2", benchtime: "2s"}},
	report:    reportRedisBroker,
	bounds:    boundRedisBroker,
}

const aboutRedisBroker = `Package redisadapter's broker and backend against Machinery's own go-redis ones, through Machinery's
server, with tasks that do nothing. "sent" is until SendTask returns, with no worker. "done" is processed by a worker of
concurrency 8, which finds all tasks in the queue; rounds are of two seconds, so that its start does not count. Delayed tasks leave Machinery's own broker two a second.

`

const (
	awaitSeconds = 0.003
	awaitUnit    = "await-sec"
	// dueOnRedisSeconds is how long delayed tasks that are due at once may take.
	dueOnRedisSeconds = 2
)

var (
	redisWays       = []string{"machinery", "redisadapter"}
	redisOperations = []struct{ name, title string }{
		{"send/senders=1", "sent by one goroutine"},
		{"send/senders=8", "sent by 8 goroutines"},
		{"done", "done"},
	}
)

// redisOperation is the measurement of one sub-benchmark.
func redisOperation(operation, way, unit string) measurement {
	return measurement{fmt.Sprintf("RedisBroker/op=%s/way=%s", operation, way), "", 2, unit}
}

func reportRedisBroker(m *measurements) string {
	var rows [][]string
	for _, op := range redisOperations {
		theirs := m.median(redisOperation(op.name, "machinery", seconds))
		ours := m.median(redisOperation(op.name, "redisadapter", seconds))
		rows = append(rows, []string{op.title, rate(theirs), rate(ours), times(theirs/ours, 2)})
	}
	return aboutRedisBroker + table([]string{"tasks per second", "Machinery", "redisadapter", "ratio"}, rows) +
		fmt.Sprintf("\n%d delayed tasks, due at once, are done %s after that. middleware.Await returns %s after a task's end, "+
			"at the median.\n", dueTasks,
			duration(m.median(redisOperation("due", "redisadapter", dueUnit))),
			duration(m.median(redisOperation("await", "redisadapter", awaitUnit))))
}

func boundRedisBroker(m *measurements) []bound {
	var bounds []bound
	for _, op := range redisOperations {
		theirs := m.median(redisOperation(op.name, "machinery", seconds))
		ours := m.median(redisOperation(op.name, "redisadapter", seconds))
		bounds = append(bounds, atLeast(1.2, theirs/ours, "tasks "+op.title+" on Redis, speed of Machinery's broker and backend"))
	}
	return append(bounds,
		within(dueOnRedisSeconds, m.median(redisOperation("due", "redisadapter", dueUnit)), duration,
			fmt.Sprintf("time until %d delayed tasks that are due at once on Redis are done", dueTasks)),
		within(awaitSeconds, m.median(redisOperation("await", "redisadapter", awaitUnit)), duration,
			"Await after a task's end on Redis, at the median"))
}
