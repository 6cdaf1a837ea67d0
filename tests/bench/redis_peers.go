package main

import "fmt"

var redisPeers = section{
	title:     "task queues",
	benchmark: "RedisPeers",
	runs:      []run{{cpu: "2", benchtime: "700ms"}},
	report:    reportRedisPeers,
	bounds:    boundRedisPeers,
}

const aboutRedisPeers = `Tasks of one number whose result is kept for a minute, through Machinery's own go-redis broker and
backend, through redisadapter's, through asynq, and through river, which works on PostgreSQL instead of Redis and is not
slowed down by what it would do to keep its data over a crash. All have their defaults, but river's workers fetch after 1 ms
and not 100. go-redis and rueidis are the floor: numbers in a list and results in keys, 100 commands at a time, and nothing
that makes it safe. "sent" is one task a call, until it returns, with no worker; "done" is by a worker that finds all tasks in
the queue. After each measurement all tasks sent are there, or each result is. CPU is what this process and the server, with
all of its processes, compute for a task, user and system. Ratios are against Machinery's own.

`

const cpuUnit = "cpu-sec"

var (
	redisPeerWays = []struct{ name, title string }{
		{"machinery", "Machinery"},
		{"redisadapter", "**redisadapter**"},
		{"asynq", "asynq"},
		{"river", "river, on PostgreSQL"},
		{"go-redis", "go-redis, the floor"},
		{"rueidis", "rueidis, the floor"},
	}
	peerSenders       = []int{1, 8, 32}
	peerConcurrencies = []int{8, 64}
)

// peerWork is what the peers are compared at.
type peerWork struct {
	operation, title string
	// The least rate, and the most CPU time, against Machinery's own and against asynq; 0 where nothing is promised.
	rateOfMachinery, cpuOfMachinery, rateOfAsynq, cpuOfAsynq float64
}

func peerWorks() []peerWork {
	var all []peerWork
	for _, n := range peerSenders {
		all = append(all, peerWork{
			fmt.Sprintf("send/senders=%d", n), "sent by " + goroutines(n), 0, 0, 1, 1,
		})
	}
	for _, n := range peerConcurrencies {
		all = append(all, peerWork{
			fmt.Sprintf("done/concurrency=%d", n), fmt.Sprintf("done, concurrency %d", n), 2.2, 0.4, 1.3, 0.8,
		})
	}
	return all
}

func goroutines(n int) string {
	if n == 1 {
		return "one goroutine"
	}
	return fmt.Sprintf("%d goroutines", n)
}

func (w peerWork) measured(way, unit string) measurement {
	return measurement{fmt.Sprintf("RedisPeers/op=%s/way=%s", w.operation, way), "", 2, unit}
}

func reportRedisPeers(m *measurements) string {
	perSecond := func(w peerWork, way string) string {
		took := m.median(w.measured(way, seconds))
		return rate(took) + " " + times(m.median(w.measured("machinery", seconds))/took, 2)
	}
	cpu := func(w peerWork, way string) string {
		took := m.median(w.measured(way, cpuUnit))
		return duration(took) + " " + times(took/m.median(w.measured("machinery", cpuUnit)), 2)
	}
	return aboutRedisPeers + peerTable("tasks per second", perSecond) + "\n" + peerTable("CPU of a task", cpu)
}

func peerTable(title string, cell func(w peerWork, way string) string) string {
	head := []string{title}
	for _, w := range peerWorks() {
		head = append(head, w.title)
	}
	var rows [][]string
	for _, way := range redisPeerWays {
		row := []string{way.title}
		for _, w := range peerWorks() {
			row = append(row, cell(w, way.name))
		}
		rows = append(rows, row)
	}
	return table(head, rows)
}

func boundRedisPeers(m *measurements) []bound {
	var bounds []bound
	for _, w := range peerWorks() {
		add := func(peer string, leastRate, mostCPU float64) {
			if leastRate == 0 {
				return
			}
			bounds = append(bounds,
				atLeast(leastRate, m.median(w.measured(peer, seconds))/m.median(w.measured("redisadapter", seconds)),
					"tasks "+w.title+" on Redis, speed of "+peer),
				atMost(mostCPU, m.median(w.measured("redisadapter", cpuUnit))/m.median(w.measured(peer, cpuUnit)),
					"tasks "+w.title+" on Redis, CPU time of "+peer))
		}
		add("machinery", w.rateOfMachinery, w.cpuOfMachinery)
		add("asynq", w.rateOfAsynq, w.cpuOfAsynq)
	}
	return bounds
}
