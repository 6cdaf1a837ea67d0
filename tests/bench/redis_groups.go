package main

import "fmt"

var redisGroups = section{
	title:     "groups, chords, latency and large tasks on Redis",
	benchmark: "RedisGroups",
	runs:      []run{{cpu: "2", benchtime: "1s"}},
	report:    reportRedisGroups,
	bounds:    boundRedisGroups,
}

const (
	groupMembers = 4000
	largePayload = 8 << 20
	redisCPUUnit = "redis-cpu-sec"
)

// queuedPayloads are the bytes of tasks that wait in a queue.
var queuedPayloads = map[string]int{"large-queued": largePayload, "queued-200k": 200 << 10}

const aboutRedisGroups = `Groups and chords have %d members that do nothing. "sent" is until m.SendGroup returns, with no worker;
"CPU" is what this process and Redis compute for a member, from its being sent until all are awaited. Latency is from a
send to the awaited result, at the median; its floor is a list, a key and a message of bare go-redis. "large" is what Redis
computes for a task with a string of 8 MiB, of which a worker has one at a time, or finds all in the queue, as in the row of 200 KiB.

`

func redisGroup(operation, way, unit string) measurement {
	return measurement{fmt.Sprintf("RedisGroups/op=%s/way=%s", operation, way), "", 2, unit}
}

func perMember(m *measurements, operation string) float64 {
	return m.median(redisGroup(operation, "redisadapter", cpuUnit)) / groupMembers
}

func reportRedisGroups(m *measurements) string {
	row := func(title, theirs, ours string) []string { return []string{title, theirs, ours} }
	sent := func(way string) string { return rate(m.median(redisGroup("send", way, seconds)) / groupMembers) }
	large := func(operation, way string) string {
		return duration(m.median(redisGroup(operation, way, redisCPUUnit)))
	}
	latency := func(way string) string { return duration(m.median(redisGroup("latency", way, awaitUnit))) }
	return fmt.Sprintf(aboutRedisGroups, groupMembers) + table([]string{"", "Machinery", "redisadapter"}, [][]string{
		row("members sent per second", sent("machinery"), sent("redisadapter")),
		row("large, one at a time: CPU of Redis", large("large", "machinery"), large("large", "redisadapter")),
		row("large, queued: CPU of Redis", large("large-queued", "machinery"), large("large-queued", "redisadapter")),
		row("200 KiB, queued: CPU of Redis", large("queued-200k", "machinery"), large("queued-200k", "redisadapter")),
	}) + fmt.Sprintf("\nCPU of a member: %s in a group, %s in a chord. Latency: %s, its floor %s.\n",
		duration(perMember(m, "group")), duration(perMember(m, "chord")), latency("redisadapter"), latency("go-redis")) +
		fmt.Sprintf("\nOne goroutine that calls m.SendTask for as many tasks sends %s a second.\n",
			rate(m.median(redisGroup("send-each", "redisadapter", seconds))/groupMembers))
}

func boundRedisGroups(m *measurements) []bound {
	ratio := func(operation, unit, of, to string) float64 {
		return m.median(redisGroup(operation, of, unit)) / m.median(redisGroup(operation, to, unit))
	}
	return []bound{
		atLeast(3, m.median(redisGroup("send-each", "redisadapter", seconds))/m.median(redisGroup("send", "redisadapter", seconds)),
			fmt.Sprintf("tasks sent by SendGroup of %d on Redis, speed of one by one", groupMembers)),
		atMost(2, perMember(m, "chord")/perMember(m, "group"),
			fmt.Sprintf("CPU time of a member of a chord of %d, of a group's", groupMembers)),
		atMost(1.2, ratio("latency", awaitUnit, "redisadapter", "go-redis"), "latency on Redis at the median, of bare go-redis"),
		atMost(2, ratio("large", redisCPUUnit, "redisadapter", "machinery"), "CPU time of Redis for a task of 8 MiB, of Machinery's"),
		atMost(2, ratio("large-queued", redisCPUUnit, "redisadapter", "machinery"), "CPU time of Redis for a queued task of 8 MiB, of Machinery's"),
		atMost(2, ratio("queued-200k", redisCPUUnit, "redisadapter", "machinery"), "CPU time of Redis for a queued task of 200 KiB, of Machinery's"),
	}
}
