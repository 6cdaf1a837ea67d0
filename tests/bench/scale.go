package main

import (
	"fmt"
	"slices"
	"strconv"
)

// scalePage is the page on how costs grow. Its sections take minutes that are not part of a plain run.
const scalePage = "SCALE.md"

var scaleSections = []section{scale, scaleShards}

var scale = section{
	title:     "On one server",
	benchmark: "Scale",
	page:      scalePage,
	runs:      []run{{cpu: "2", benchtime: "1x"}},
	report:    reportScale,
	bounds:    noBounds,
}

var scaleShards = section{
	title:     "Beyond one server: shards on the masters of a Redis Cluster",
	benchmark: "RedisShards",
	page:      scalePage,
	runs:      []run{{cpu: "2", benchtime: "1s"}},
	report:    reportScaleShards,
	bounds:    noBounds,
}

func noBounds(*measurements) []bound { return nil }

const aboutScalePage = `# Scale

How cost grows with what grows, and what to do where one server is the limit. Written by ` + "`make bench BENCH=scale`" + `, apart
from [RESULTS.md](RESULTS.md), which compares with others. Each number is the median of %d rounds. Servers, workers and
senders share one machine, so that all of them compete for its cores.

`

const aboutScale = `Time for one task, unless the row says otherwise. Tasks carry 100 bytes through the brokers of this project alone, with no result
backend, but for groups and chords, whose members return a number. They are sent by eight goroutines, and done by a worker of
concurrency 8 that finds them in the queue, behind which so many others wait. "due" is when the last of 1,000 tasks has ended
that were due at once. A member of a group or a chord counts from its being sent until all are awaited. A payload is sent and
done. "workers" are so many brokers with a concurrency of 8 and connections of their own, on one queue; "queues" as many on a
queue each, among which tasks are sent by name.

`

const whatScaleSays = `
Lists and sorted sets of Redis cost the same, or nearly, however long they are: what a long queue takes is memory, the bytes of
its messages. A member of a group costs no more in a large group. In a chord it costs up to twice as much, also no more in a large
one, until the callback: it carries all results as arguments in one message, so that beyond some 10,000 members tasks had better
keep their results where the callback can read them. Bytes dominate from about 10 KB on: a payload store keeps large ones out of the
queue. Concurrency beyond what keeps the cores busy gains nothing, and neither do more workers than that.
`

const aboutScaleShards = `All that belongs to one queue lies in one slot of a Redis Cluster, and so on one master: a script takes and acknowledges tasks in
one step, and that needs one server. Sends, takes and acknowledgements of one queue are bounded by what one core of that master does,
whatever the number of masters; the states of the tasks are spread over all of them. Beyond that:

- Give kinds of tasks queues of their own, by ` + "`RoutingKey`" + ` and ` + "`redisadapter.WithQueues`" + `: names spread over masters by themselves.
- Split one queue with ` + "`redisadapter.WithShards(n)`" + `: its tasks lie in n lists on all masters. Take as many as there are masters, up to
  a few times as many; its documentation says in which order a fleet changes n.
- On RabbitMQ a queue is one process of Erlang, and so one core. Declare several queues, with a worker for each, and send by name, or
  through a consistent hash exchange, which spreads tasks by a hash of their ` + "`RoutingKey`" + `: the documentation of amqpadapter says how.
  Both are rows above.

Sent by 32 goroutines, and done by a worker of concurrency 64, with their states. The first rows are six queues that lie on so many of
three masters. "busiest master" is what the one that has most to do computes for a task.

`

const aboutTwoCores = `
Three masters, the worker and the senders had %s here. So the rates show what lists cost, and not what three machines would gain:
that is bounded by the busiest master, whose part of a send becomes smaller with each one that shares the lists. Of tasks that are done
it does so less, since a worker asks each list for itself, and gets fewer tasks at a time.
`

const (
	// taskUnit is the time of one task.
	taskUnit = "task-sec"
	// busiestUnit is what the busiest master computes for a task.
	busiestUnit = "busiest-sec"
)

// A scaleGrowth is something that grows, to sizes that are powers of ten.
type scaleGrowth struct {
	operation, title string
	from, to         int
}

var scaleGrowths = []scaleGrowth{
	{"redis-send", "Redis, sent to a queue of so many", 10, 1_000_000},
	{"redis-done", "Redis, done before so many", 10, 1_000_000},
	{"redis-delay", "Redis, delayed beside so many", 10, 1_000_000},
	{"redis-due", "Redis, all of 1,000 due, beside so many delayed", 10, 1_000_000},
	{"redis-group", "Redis, member of a group of so many", 10, 100_000},
	{"redis-chord", "Redis, member of a chord of so many", 10, 10_000},
	{"redis-payload", "Redis, payload of so many bytes", 10, 1_000_000},
	{"redis-concurrency", "Redis, done with a concurrency of so many", 1, 1_000},
	{"redis-workers", "Redis, done by so many workers", 1, 100},
	{"amqp-send", "RabbitMQ, sent to a queue of so many", 10, 100_000},
	{"amqp-done", "RabbitMQ, done before so many", 10, 100_000},
	{"amqp-payload", "RabbitMQ, payload of so many bytes", 10, 1_000_000},
	{"amqp-queues", "RabbitMQ, sent to and done from so many queues", 1, 10},
	{"amqp-hash", "RabbitMQ, the same by a consistent hash exchange", 1, 10},
}

func (g scaleGrowth) sizes() (all []int) {
	for n := g.from; n <= g.to; n *= 10 {
		all = append(all, n)
	}
	return all
}

func reportScale(m *measurements) string {
	sizes := scaleGrowth{from: 1, to: 1_000_000}.sizes()
	head := []string{""}
	for _, n := range sizes {
		head = append(head, strconv.Itoa(n))
	}
	var rows [][]string
	for _, g := range scaleGrowths {
		row := []string{g.title}
		for _, n := range sizes {
			name := fmt.Sprintf("Scale/op=%s/n=%d", g.operation, n)
			row = append(row, duration(m.median(measurement{name, "", 2, taskUnit})))
		}
		rows = append(rows, row)
	}
	return aboutScale + table(head, rows) + whatScaleSays
}

func reportScaleShards(m *measurements) string {
	row := func(title, way string) []string {
		cells := []string{title}
		for _, op := range []string{"send", "done"} {
			name := "RedisShards/op=" + op + "/" + way
			cells = append(cells, rate(m.median(measurement{name, "", 2, seconds})),
				duration(m.median(measurement{name, "", 2, busiestUnit})))
		}
		return cells
	}
	return aboutScaleShards + table([]string{"", "sent per second", "busiest master", "done per second", "busiest master"}, [][]string{
		row("on one master", "masters=1"),
		row("on two masters", "masters=2"),
		row("on three masters", "masters=3"),
		row("one list", "shards=1"),
		row("`WithShards(6)`", "shards=6"),
	}) + fmt.Sprintf(aboutTwoCores, coreNames[2])
}

// isScalePage reports whether sections are all those of the page. With fewer it is not written: the others would be lost.
func isScalePage(chosen []section) bool {
	isOfAnother := func(s section) bool { return s.page != scalePage }
	return len(chosen) == len(scaleSections) && !slices.ContainsFunc(chosen, isOfAnother)
}
