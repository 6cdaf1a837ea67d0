// Package redisadapter runs Machinery on a go-redis v8 client that you own, and loses no task.
//
// Make a client, make the two parts, and give them to Machinery:
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
//	broker := redisadapter.NewBroker(cnf, client)
//	backend := redisadapter.NewBackend(cnf, client)
//	server := machinery.NewServer(cnf, broker, backend, lock)
//
// It needs Redis 6.2 or later: a single server, Sentinel or a Redis Cluster; for the last, see NewClusterClient. TLS,
// passwords, pool sizes and timeouts are the client's affair. All parts may share one client. None of them ever closes
// it: close it yourself, after the workers have quit.
//
// # What is promised
//
// Delivery is at least once. A task that a worker takes moves, in one step, to a list of what this worker is
// processing. It is removed from there when it has been processed; until then Redis has it. So no task is lost that
// Redis has confirmed and keeps, whatever becomes of workers and connections:
//   - A worker that dies leaves its list behind. When it has not been heard of for the heartbeat timeout, others put
//     its tasks back at the head of the queue, the oldest first.
//   - A task that could not be processed to its end, because the result backend was down, say, is put back, and comes
//     again after a pause that grows from a second to a minute. A task that fails has been processed: whether it is
//     retried is Machinery's affair.
//   - A lost connection stops nothing. The worker tries until Redis is back, and says so once.
//   - Quit waits for the tasks that run. A worker that is idle takes up to a second to stop.
//   - A task that was delivered too often (see WithDeliveryLimit) goes to the dead letters, and with it what can never
//     be a task. Tasks that two workers died of run apart from each other, so that the one to blame is found out and
//     the others are done.
//   - Delayed tasks become due in the order of their ETA, many at a time, by the clock of Redis.
//   - Tasks that a worker does not know go to the end of its queue, for others.
//
// # What is not
//
// Not exactly once: a task runs again when its worker dies after its effects and before Redis has noted its end, when a
// worker is silent for longer than the heartbeat timeout without being dead, and when a send is repeated because its
// confirmation was lost. Tasks must put up with that: let them do what they do under a key of their own (their UUID is
// the same each time), or check whether it is done already.
//
// Not in order, once a task is delivered again, deferred, or turned away, or as soon as there are several workers.
//
// Not safer than Redis itself. What it confirms and forgets (without appendfsync always, in a failover) is gone. Redis
// must not evict keys: leave maxmemory-policy at noeviction.
//
// # What is in Redis
//
// Keys and JSON are those of Machinery, so servers and workers that use its Redis brokers and backends can work on the
// same queues and read the same results. What one of its workers takes is delivered at most once; its messages are
// nobody's while it runs them. For the queue q and the delayed tasks d there are
//
//	q                       list: what waits, the next one at its head; Machinery's
//	d                       sorted set: what waits for its ETA, in nanoseconds; Machinery's, delayed_tasks by default
//	{q}:processing:<worker> list: what a worker has taken, the oldest at its head
//	{q}:consumers           sorted set: workers by their last heartbeat, in milliseconds
//	{q}:deferred            sorted set: what was put back after an error, by when it comes again, in milliseconds
//	{q}:suspects            list: what two workers died of
//	{q}:deliveries          sorted set: SHA-1 of messages by their failed deliveries; at most 10,000
//	{q}:dead                stream: dead letters, unless WithDeadLetters names others; at most 10,000
//	{d}:claimed, {d}:claim  sorted set and string: due tasks on their way to their queues, and who moves them
//
// and the states and groups of the backend, under their UUIDs. The braces keep what belongs together in one slot of a
// Redis Cluster. A name that has a part in braces of its own keeps that instead, as app:{q}:processing:… for
// app:{q}; in a Redis Cluster, names may have no other braces.
//
// Before you go back to Machinery's brokers, let the workers of this package run until no processing, deferred,
// suspects or claimed key is left: Machinery does not look there.
//
// Logs name tasks and their UUIDs, never what they carry.
package redisadapter
