package main

import "fmt"

var redisBroker = section{
	title:     "redis broker and backend",
	benchmark: "RedisBroker",
	runs: []run{
		{cpu: "2", benchtime: "1s", only: "/op=(send|done|due|await|eta)$"},
		{cpu: "2", only: "/op=(idle|memory)$", rounds: 1}, // a minute, and what they count does not vary
	},
	report: reportRedisBroker,
	bounds: boundRedisBroker,
}

const aboutRedisBroker = `Package redisadapter's broker and backend against Machinery's own go-redis ones, through Machinery's
server, with tasks that do nothing. "sent" is until SendTask returns, with no worker. "done" is processed by a worker of
concurrency 8, which finds all tasks in the queue; rounds are of a second, so that its start does not count. Delayed tasks leave Machinery's own broker two a second.

`

const (
	awaitSeconds = 0.002
	awaitUnit    = "await-sec"
	// dueOnRedis are delayed tasks that are due at once.
	dueOnRedis = 10_000
	// dueOnRedisSeconds is how long they may take.
	dueOnRedisSeconds = 2
	// etaSeconds is how long after its ETA a delayed task may begin on a worker that is idle.
	etaSeconds  = 0.05
	etaUnit     = "eta-sec"
	slowestUnit = "eta-slowest-sec"
	memoryUnit  = "memory-bytes"
)

// idleWays are idle workers, and how many requests a second each may make.
var idleWays = []struct {
	title, unit string
	perSecond   float64
}{
	{"with all defaults", "idle-req/s", 2},
	{"with WithOwnSendersOnly", "idle-own-req/s", 0.5},
}

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
			"at the median. A delayed task takes %.0f bytes of Redis, one of Machinery's %.0f.\n", dueOnRedis,
			duration(m.median(redisOperation("due", "redisadapter", dueUnit))),
			duration(m.median(redisOperation("await", "redisadapter", awaitUnit))),
			memoryOf(m, "redisadapter"), memoryOf(m, "machinery")) + reportIdle(m)
}

func memoryOf(m *measurements, way string) float64 {
	return m.median(redisOperation("memory", way, memoryUnit))
}

// reportIdle is about a worker that has nothing to do, or one task now and then.
func reportIdle(m *measurements) string {
	var rows [][]string
	for _, way := range idleWays {
		requests := m.median(redisOperation("idle", "redisadapter", way.unit))
		rows = append(rows, []string{way.title, perSecond(requests)})
	}
	return fmt.Sprintf("\nA task that is delayed by 20 ms begins %s after its ETA on an idle worker, at the median, and the "+
		"slowest of a round %s after it.\n\n",
		duration(m.median(redisOperation("eta", "redisadapter", etaUnit))),
		duration(m.median(redisOperation("eta", "redisadapter", slowestUnit)))) +
		table([]string{"an idle worker of redisadapter", "requests per second"}, rows)
}

func perSecond(n float64) string { return fmt.Sprintf("%.2f", n) }

func boundRedisBroker(m *measurements) []bound {
	var bounds []bound
	for _, op := range redisOperations {
		theirs := m.median(redisOperation(op.name, "machinery", seconds))
		ours := m.median(redisOperation(op.name, "redisadapter", seconds))
		bounds = append(bounds, atLeast(1.2, theirs/ours, "tasks "+op.title+" on Redis, speed of Machinery's broker and backend"))
	}
	for _, way := range idleWays {
		requests := m.median(redisOperation("idle", "redisadapter", way.unit))
		bounds = append(bounds, within(way.perSecond, requests, perSecond, "requests a second of an idle worker on Redis, "+way.title))
	}
	return append(bounds,
		atMost(1, memoryOf(m, "redisadapter")/memoryOf(m, "machinery"), "memory of Redis for a delayed task, of Machinery's"),
		within(etaSeconds, m.median(redisOperation("eta", "redisadapter", slowestUnit)), duration,
			"delayed tasks' begin after their ETA on Redis, the slowest of a round"),
		within(dueOnRedisSeconds, m.median(redisOperation("due", "redisadapter", dueUnit)), duration,
			fmt.Sprintf("time until %d delayed tasks that are due at once on Redis are done", dueOnRedis)),
		within(awaitSeconds, m.median(redisOperation("await", "redisadapter", awaitUnit)), duration,
			"Await after a task's end on Redis, at the median"))
}
