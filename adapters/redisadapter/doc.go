// Package redisadapter runs Machinery on a go-redis v8 client that you own.
//
// Make a client, make the two parts, and give them to Machinery:
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
//	broker := redisadapter.NewBroker(cnf, client)
//	backend := redisadapter.NewBackend(cnf, client)
//	server := machinery.NewServer(cnf, broker, backend, lock)
//
// TLS, passwords, pool sizes and timeouts are the client's affair. Both parts may share one client. Neither ever
// closes it: close it yourself, after the workers have quit.
//
// # Mixing with Machinery's own Redis parts
//
// Keys and JSON are those of Machinery, so servers and workers that use its Redis broker and backend can work on the
// same queues and read the same results: a queue is a list, delayed tasks wait in one sorted set, and a task's state
// lies under its UUID. While a worker of this package stops it also writes a short-lived key beside its queue,
// {queue}:wake:…, by which it ends its own wait.
//
// # What is promised
//
// A task leaves the queue when a worker takes it. Quit waits for the tasks that were taken, so a graceful stop loses
// none; a worker that is killed loses those it was running. A lost connection stops nothing: the worker waits and
// goes on when Redis is back. Messages that are no tasks are dropped with a line in the log, and tasks that this
// worker does not know go back to the end of its queue.
//
// Delayed tasks move to their queue in one atomic step. In a Redis Cluster that step needs the sorted set and the
// queue in one slot: set config.RedisConfig.DelayedTasksKey to a key such as {machinery_tasks}:delayed.
//
// Logs name tasks and their UUIDs, never what they carry.
package redisadapter
